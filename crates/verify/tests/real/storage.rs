//! Which pages are read, and what is said of those that are not.

use holdfast_core::validation::{CheckResult::*, CheckSettings, Coverage};
use holdfast_local_postgres::Binaries;
use holdfast_verify::Options;

use crate::pages::Page;
use crate::server::{PAGE, Seen, Server, flip, only};

fn own() -> Options {
    Options { may_create_extensions: true, ..Options::default() }
}

fn storage(coverage: Coverage) -> Options {
    Options { checks: CheckSettings { storage: coverage, ..CheckSettings::default() }, ..own() }
}

fn reasons(seen: &Seen, object: Option<&str>) -> Vec<String> {
    let mut reasons: Vec<String> = Vec::new();
    for not in &seen.outcome.not_checked {
        if not.scope == "shop" && not.object.as_deref() == object {
            reasons.push(format!("{}: {}", not.check, not.reason));
        }
    }
    reasons
}

const EVERY_METHOD: &str = "CREATE TABLE t (id int PRIMARY KEY, doc jsonb, range int4range, at timestamptz);
    INSERT INTO t SELECT n, jsonb_build_object('n', n), int4range(n, n + 1), now() FROM generate_series(1, 5000) AS n;
    CREATE INDEX by_gin ON t USING gin (doc); CREATE INDEX by_gist ON t USING gist (range);
    CREATE INDEX by_brin ON t USING brin (at); CREATE INDEX by_hash ON t USING hash (id)";

#[tokio::test]
async fn every_page_of_every_index_is_read_on_a_server_of_ones_own() {
    let mut server = Server::start().await;
    server.database("shop", EVERY_METHOD).await;
    let mut files = Vec::new();
    for index in ["by_gin", "by_gist", "by_hash", "by_brin"] {
        files.push(server.file_of("shop", index).await);
    }
    server
        .while_stopped(|| {
            for file in &files {
                let last = std::fs::metadata(file).unwrap().len() / PAGE - 1;
                flip(file, last * PAGE + 8100);
            }
        })
        .await;
    let seen = server.verify().await;
    for (index, method) in [("public.by_gin", "gin"), ("public.by_gist", "gist"), ("public.by_brin", "brin")]
    {
        let reasons = reasons(&seen, Some(index));
        assert!(
            reasons.iter().any(|reason| reason.starts_with("storage: its pages were not read")),
            "{reasons:?}"
        );
        assert!(
            reasons.iter().any(|reason| reason.starts_with(&format!("indexes: {method} index"))),
            "{reasons:?}"
        );
    }
    let seen = server.verify_with(&own()).await;
    for index in ["public.by_gin", "public.by_gist", "public.by_hash", "public.by_brin"] {
        seen.expect("storage", "shop", Failed, index, "invalid page in block");
        assert!(!reasons(&seen, Some(index)).iter().any(|reason| reason.starts_with("storage")));
    }
}

#[tokio::test]
async fn a_sample_reads_some_pages_and_says_so() {
    let mut server = Server::start().await;
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text);
        INSERT INTO t SELECT n, repeat(md5(n::text), 20) FROM generate_series(1, 10000) AS n";
    server.database("shop", sql).await;
    let file = server.file_of("shop", "t").await;
    // Not the first page of any of twenty places, which is what a sample of two per cent reads.
    server.while_stopped(|| flip(&file, 11 * PAGE + 5000)).await;
    // Neither `content` nor an extension reads it: its rows are counted.
    let seen = server.verify_with(&only(&["storage"])).await;
    seen.expect("storage", "shop", Failed, "public.t", "invalid page in block 11");
    let seen = server.verify_with(&storage(Coverage::SamplePercent(2.0))).await;
    assert_eq!(seen.check("storage", "shop").result, Passed);
    assert_eq!(reasons(&seen, Some("public.t")), ["storage: sampled: 2 % of the pages were read"]);
    let seen = server.verify_with(&storage(Coverage::Full)).await;
    seen.expect("storage", "shop", Failed, "public.t", "invalid page in block 11");
    let pieces = Options { chunk_bytes: 8 * PAGE, ..own() };
    let seen = server.verify_with(&pieces).await;
    seen.expect("storage", "shop", Failed, "public.t", "invalid page in block 11");
}

#[tokio::test]
async fn a_damaged_catalog_is_named() {
    let mut server = Server::start().await;
    server.database("shop", EVERY_METHOD).await;
    server.sql("shop", "CREATE SEQUENCE s; SELECT lo_from_bytea(0, 'large')").await;
    let sequence = server.file_of("shop", "s").await;
    let by_name = server.file_of("shop", "pg_catalog.pg_conversion_name_nsp_index").await;
    let by_object = server.file_of("shop", "pg_catalog.pg_largeobject_loid_pn_index").await;
    let catalog = server.file_of("shop", "pg_catalog.pg_description").await;
    let index = server.file_of("shop", "pg_catalog.pg_description_o_c_o_index").await;
    server
        .while_stopped(|| {
            flip(&catalog, 2 * PAGE + 5000);
            flip(&sequence, 5000);
            flip(&by_name, PAGE + 5000);
            flip(&by_object, PAGE + 5000);
            let mut page = Page::all(&index).into_iter().find(Page::is_middle_leaf).unwrap();
            page.swap_pointers(3, 5);
            page.seal();
        })
        .await;
    let seen = server.verify().await;
    seen.expect("storage", "shop", Failed, "pg_catalog.pg_description", "invalid page in block 2");
    seen.expect("storage", "shop", Failed, "public.s", "invalid page in block 0");
    assert!(reasons(&seen, Some("system catalogs"))[0].starts_with("indexes: "));
    let seen = server.verify_with(&own()).await;
    seen.expect("storage", "shop", Failed, "pg_catalog.pg_description", "invalid page in block 2");
    seen.expect("storage", "shop", Failed, "public.s", "invalid page in block 0");
    for index in ["pg_catalog.pg_conversion_name_nsp_index", "pg_catalog.pg_largeobject_loid_pn_index"] {
        seen.expect("storage", "shop", Failed, index, "invalid page in block 1");
    }
    seen.expect(
        "indexes",
        "shop",
        Failed,
        "pg_catalog.pg_description_o_c_o_index",
        "item order invariant violated",
    );
}

#[tokio::test]
async fn a_user_without_rights_learns_what_was_left_out() {
    let server = Server::start().await;
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x');
        CREATE ROLE reader LOGIN PASSWORD 'reader-of-shop'; GRANT SELECT ON t TO reader; CREATE EXTENSION amcheck;
        CREATE EXTENSION pg_prewarm";
    server.database("shop", sql).await;
    for options in [Options::default(), own()] {
        let seen = server.verify_as("reader", "reader-of-shop", &options).await;
        for check in ["storage", "indexes", "uniqueness"] {
            assert_eq!(seen.check(check, "shop").result, Passed, "{:#?}", seen.check(check, "shop"));
        }
        let whole = reasons(&seen, None).join("\n");
        assert!(whole.contains("amcheck cannot be had: this user has no right to call amcheck"), "{whole}");
        let toast = reasons(&seen, Some("TOAST of public.t"));
        assert_eq!(toast, ["storage: this user has no right to read its pages"]);
        let toast = reasons(&seen, Some("index of the TOAST of public.t")).join("\n");
        assert!(toast.contains("indexes: this user has no right to read the table"), "{toast}");
        let large = reasons(&seen, Some("pg_catalog.pg_largeobject_loid_pn_index")).join("\n");
        assert!(large.contains("uniqueness: this user has no right to read the table"), "{large}");
    }
}

/// Tables whose files something remembers as longer, or nothing does.
const SHORTER: &str = "
    CREATE TABLE partly (n int); INSERT INTO partly VALUES (1);
    CREATE INDEX partly_n ON partly (n) WHERE n > 5; CREATE INDEX partly_hash ON partly USING hash (n);
    CREATE TABLE mapped (n int); INSERT INTO mapped VALUES (1);
    CREATE TABLE unknown (n int); INSERT INTO unknown VALUES (1)";

/// Indexes of PostgreSQL's own and of another access method.
const INDEXED: &str = "CREATE EXTENSION bloom;
    CREATE TABLE t (n int PRIMARY KEY, m int); INSERT INTO t VALUES (1); CREATE INDEX by_bloom ON t USING bloom (m)";

#[tokio::test]
async fn a_file_is_as_long_as_what_can_be_believed_remembers() {
    for binaries in Binaries::majors().await.unwrap() {
        let major: u32 = binaries.major_version().parse().unwrap();
        if ![15, 18].contains(&major) {
            continue;
        }
        let mut server = Server::of(binaries).await;
        let counted = "CREATE TABLE counted (n int PRIMARY KEY); INSERT INTO counted VALUES (1)";
        for (name, sql) in [("shop", SHORTER), ("indexed", INDEXED), ("counted", counted)] {
            server.database(name, sql).await;
            server.sql(name, "VACUUM (FREEZE, ANALYZE)").await;
        }
        let remembered =
            "UPDATE pg_class SET relpages = 1000 WHERE relname IN ('partly', 'counted', 't_pkey', 'by_bloom');
            UPDATE pg_class SET relpages = 0 WHERE relname IN ('mapped', 'unknown')";
        for name in ["shop", "indexed", "counted"] {
            server.sql(name, remembered).await;
        }
        let mut map = server.file_of("shop", "mapped").await.into_os_string();
        map.push("_vm");
        server
            .while_stopped(|| {
                std::fs::File::options().write(true).open(map).unwrap().set_len(2 * PAGE).unwrap();
            })
            .await;
        let seen = server.verify_with(&only(&["storage", "content", "indexes"])).await;
        let told = |scope: &str| -> Vec<String> {
            let findings = &seen.check("storage", scope).findings;
            let mut told: Vec<String> =
                findings.iter().map(|finding| format!("{}: {}", finding.object, finding.message)).collect();
            told.sort_unstable();
            told
        };
        let mapped = "public.mapped: its file has 1 pages, its visibility map speaks of more than 32672";
        let partly = "public.partly: its file has 1 pages, 1000 by the last statistics, and no index tells which is right";
        let unknown = "neither an index nor statistics remember how long its file was";
        let forgotten =
            |object: &str| reasons(&seen, Some(object)).iter().any(|reason| reason.ends_with(unknown));
        assert!(forgotten("public.unknown"), "{:#?}", seen.outcome.not_checked);
        // Statistics can be another server's since PostgreSQL 18.
        assert_eq!(forgotten("public.partly"), major >= 18, "{:#?}", seen.outcome.not_checked);
        assert_eq!(seen.check("storage", "counted").result, Passed);
        if major >= 18 {
            assert_eq!(told("shop"), [mapped]);
            assert_eq!(seen.check("storage", "indexed").result, Passed);
        } else {
            assert_eq!(told("shop"), [mapped, partly]);
            assert_eq!(told("indexed"), ["public.t_pkey: its file has 2 pages, 1000 by the last statistics"]);
        }
    }
}
