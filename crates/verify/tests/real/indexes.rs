//! An index that does not go with its table is named, and one that does is not.

use holdfast_core::validation::CheckResult::*;
use holdfast_local_postgres::Binaries;
use holdfast_verify::Options;

use crate::server::{Seen, Server};

/// As a server of one's own: `amcheck` is created.
fn own() -> Options {
    Options { may_create_extensions: true, ..Options::default() }
}

/// Tables larger than this are taken in pieces.
const SMALL: u64 = 8192;

/// Indexes that fall out of step with their tables: what an expression says is changed, rows come while they are out of
/// service, a collation gets another order.
const OUT_OF_STEP: &str = "
    CREATE TABLE t (id int PRIMARY KEY, v text, n int);
    INSERT INTO t SELECT n, 'v' || n, n FROM generate_series(1, 3000) AS n;
    CREATE FUNCTION turned(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
    CREATE INDEX by_turned ON t (turned(n));
    CREATE OR REPLACE FUNCTION turned(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT -$1';
    CREATE FUNCTION moved(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1';
    CREATE INDEX by_moved ON t (moved(n)) WHERE id > 5;
    CREATE OR REPLACE FUNCTION moved(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 3 * $1';

    CREATE TABLE lost (id int PRIMARY KEY, v text);
    CREATE INDEX lost_v ON lost (v) WHERE id % 2 = 0;
    INSERT INTO lost SELECT n, 'v' || n FROM generate_series(1, 1000) AS n;
    UPDATE pg_index SET indisready = false, indislive = false, indisvalid = false WHERE indexrelid = 'lost_v'::regclass;
    INSERT INTO lost SELECT n, 'v' || n FROM generate_series(1001, 1010) AS n;
    UPDATE pg_index SET indisready = true, indislive = true, indisvalid = true WHERE indexrelid = 'lost_v'::regclass;

    CREATE TABLE words (w text, rest text);
    INSERT INTO words SELECT CASE WHEN n % 2 = 0 THEN 'Word ' ELSE 'word ' END || n, md5(n::text) FROM generate_series(1, 1000) AS n;
    CREATE INDEX by_word ON words (w COLLATE \"C\");
    CREATE INDEX by_word_down ON words (w COLLATE \"C\" DESC, rest);
    UPDATE pg_index SET indcollation = replace(indcollation::text, '950', (SELECT max(oid)::text FROM pg_collation WHERE collname = 'en-x-icu'))::oidvector
     WHERE indexrelid IN ('by_word'::regclass, 'by_word_down'::regclass);
    UPDATE pg_attribute SET attcollation = (SELECT max(oid) FROM pg_collation WHERE collname = 'en-x-icu')
     WHERE attrelid IN ('by_word'::regclass, 'by_word_down'::regclass) AND attnum = 1;

    CREATE TABLE hashed (id int, v text);
    INSERT INTO hashed SELECT n, 'v' || n FROM generate_series(1, 1000) AS n;
    CREATE INDEX by_hash ON hashed USING hash (v);
    UPDATE pg_index SET indisready = false, indislive = false, indisvalid = false WHERE indexrelid = 'by_hash'::regclass;
    INSERT INTO hashed SELECT n, 'v' || n FROM generate_series(1001, 1010) AS n;
    UPDATE pg_index SET indisready = true, indislive = true, indisvalid = true WHERE indexrelid = 'by_hash'::regclass";

/// A unique index that fails while it is built, and stays.
async fn failed_build(server: &Server, name: &str) {
    let client = server.connect(name).await;
    client.batch_execute("CREATE TABLE twice AS SELECT 1 AS n FROM generate_series(1, 2)").await.unwrap();
    client.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY never ON twice (n)").await.unwrap_err();
}

fn not_in_step(seen: &Seen, name: &str) {
    for index in
        ["public.by_turned", "public.by_moved", "public.lost_v", "public.by_word", "public.by_word_down"]
    {
        seen.expect("indexes", name, Failed, index, "");
    }
    seen.expect(
        "indexes",
        name,
        Failed,
        "public.never",
        "is not ready for writes; it belongs to public.twice",
    );
    seen.expect("indexes", name, Failed, "public.by_hash", "10 rows of public.hashed not found through it");
    assert_eq!(seen.check("indexes", name).findings.len(), 7, "{:#?}", seen.check("indexes", name));
    assert_eq!(seen.check("uniqueness", name).result, Passed);
}

#[tokio::test]
async fn an_index_out_of_step_is_named() {
    let server = Server::start().await;
    server.database("shop", OUT_OF_STEP).await;
    failed_build(&server, "shop").await;

    let seen = server.verify().await;
    not_in_step(&seen, "shop");
    seen.expect("indexes", "shop", Failed, "public.by_turned", "2999 rows of public.t out of order in it");
    // 3, 6, ... are keys of other rows.
    seen.expect("indexes", "shop", Failed, "public.by_moved", "2000 rows of public.t not found through it");
    seen.expect("indexes", "shop", Failed, "public.lost_v", "leads to 500 rows, public.lost holds 505");
    seen.expect("indexes", "shop", Failed, "public.by_word", "of public.words out of order");

    // In pieces, everything is found by looking for the rows.
    let pieces = Options { chunk_bytes: SMALL, ..Options::default() };
    let seen = server.verify_with(&pieces).await;
    seen.expect("indexes", "shop", Failed, "public.by_turned", "not found through it");
    seen.expect("indexes", "shop", Failed, "public.by_moved", "not found through it");
    seen.expect("indexes", "shop", Failed, "public.lost_v", "5 rows of public.lost not found through it");
    // Not `by_word`: under a changed collation the look-ups of a large table need not miss (docs/validation.md), and
    // that is said.
    let unwalked = seen.not_checked("indexes", "public.by_word").unwrap();
    assert!(unwalked.contains("its order was not walked"), "{unwalked}");

    for options in [own(), Options::default()] {
        let seen = server.verify_with(&options).await;
        not_in_step(&seen, "shop");
        seen.expect("indexes", "shop", Failed, "public.by_turned", "lacks matching index tuple");
        seen.expect("indexes", "shop", Failed, "public.by_moved", "lacks matching index tuple");
        seen.expect("indexes", "shop", Failed, "public.lost_v", "lacks matching index tuple");
        seen.expect("indexes", "shop", Failed, "public.by_word", "item order invariant violated");
    }
}

/// Rows that a unique index should have refused: it was out of service when they came.
fn doubled(unique: &str, rows: &str) -> String {
    format!(
        "CREATE UNIQUE INDEX u ON t {unique};
         UPDATE pg_index SET indisready = false, indislive = false, indisvalid = false WHERE indexrelid = 'u'::regclass;
         {rows};
         UPDATE pg_index SET indisready = true, indislive = true, indisvalid = true WHERE indexrelid = 'u'::regclass"
    )
}

const UNIQUE: &str =
    "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE t (a int, b text, c text COLLATE blind, d numeric);
    INSERT INTO t SELECT n, 'b' || n, 'c' || n, n FROM generate_series(1, 500) AS n;";

#[tokio::test]
async fn duplicates_are_counted_by_the_equality_of_the_index() {
    let server = Server::start().await;
    let cases = [
        ("plain", "(a)", "INSERT INTO t VALUES (1), (1), (2)", 3),
        ("nulls", "(a, b)", "INSERT INTO t VALUES (1, NULL), (1, NULL), (NULL, NULL), (1, 'b1')", 1),
        (
            "nulls_equal",
            "(a, b) NULLS NOT DISTINCT",
            "INSERT INTO t VALUES (1, NULL), (1, NULL), (1, 'b1')",
            2,
        ),
        ("partial", "(a) WHERE b LIKE 'b%'", "INSERT INTO t VALUES (1, 'b'), (2, 'x')", 1),
        ("expression", "(upper(b))", "INSERT INTO t VALUES (0, 'B7')", 1),
        ("blind", "(c)", "INSERT INTO t VALUES (0, 'x', 'C7')", 1),
        ("seeing", "(c COLLATE \"C\")", "INSERT INTO t VALUES (0, 'x', 'C7')", 0),
        ("pattern", "(b text_pattern_ops DESC)", "INSERT INTO t VALUES (0, 'b7')", 1),
        ("included", "(a) INCLUDE (b)", "INSERT INTO t VALUES (7, 'other')", 1),
        ("scaled", "(d)", "INSERT INTO t VALUES (0, 'x', 'x', 7.00)", 1),
    ];
    for (name, unique, rows, _) in cases {
        server.database(name, &format!("{UNIQUE} {}", doubled(unique, rows))).await;
    }
    let held_apart = "CREATE EXTENSION btree_gist;
        CREATE TABLE t (room int, during tsrange, place point, CONSTRAINT one_at_a_time EXCLUDE USING gist (room WITH =, during WITH &&),
                        CONSTRAINT apart EXCLUDE USING gist (place WITH ~=));
        INSERT INTO t SELECT n % 5, tsrange('2026-01-01'::timestamp + n * interval '1 hour', '2026-01-01'::timestamp + (n + 1) * interval '1 hour'),
                             point(n, n) FROM generate_series(1, 200) AS n;
        INSERT INTO t VALUES (1, 'empty'), (1, 'empty'), (NULL, '(,)');
        UPDATE pg_index SET indisready = false, indislive = false, indisvalid = false WHERE indexrelid = 'one_at_a_time'::regclass;
        INSERT INTO t VALUES (1, '[2026-01-01 01:30, 2026-01-01 01:40)');
        UPDATE pg_index SET indisready = true, indislive = true, indisvalid = true WHERE indexrelid = 'one_at_a_time'::regclass;
        CREATE TABLE boxes (a int4range, b int4range, held bool, CONSTRAINT corners EXCLUDE USING gist (a WITH &&, b WITH &&),
                            CONSTRAINT partly EXCLUDE USING gist (a WITH &&) WHERE (held));
        INSERT INTO boxes VALUES ('[1,5)', '[1,5)', true), ('[1,5)', '[5,9)', false);
        CREATE TABLE lone (n int UNIQUE NULLS NOT DISTINCT); INSERT INTO lone VALUES (NULL)";
    server.database("held_apart", held_apart).await;

    for (round, options) in [Options::default(), own(), Options { chunk_bytes: SMALL, ..Options::default() }]
        .into_iter()
        .enumerate()
    {
        let seen = server.verify_with(&options).await;
        for (name, _, _, repeated) in cases {
            if repeated == 0 {
                assert_eq!(seen.check("uniqueness", name).result, Passed, "{name}");
                continue;
            }
            if round < 2 || name == "nulls_equal" {
                let message = format!(
                    "{repeated} row{} of public.t with the key of another",
                    if repeated == 1 { "" } else { "s" }
                );
                seen.expect("uniqueness", name, Failed, "public.u", &message);
            } else {
                // The rows themselves are not in the index, so a search for them finds one with their key, or none.
                let check = seen.check("uniqueness", name);
                assert!(matches!(check.result, Failed | Errored), "{name}: {check:#?}");
            }
        }
        let one = "1 row of public.t with what the constraint keeps from another";
        seen.expect("uniqueness", "held_apart", Failed, "one_at_a_time on public.t", one);
        assert_eq!(seen.check("uniqueness", "held_apart").findings.len(), 1);
        for beyond in ["apart on public.t", "corners on public.boxes"] {
            assert!(seen.not_checked("uniqueness", beyond).is_some(), "{beyond}");
        }
        assert_eq!(seen.not_checked("uniqueness", "partly on public.boxes"), None);
    }
}

#[tokio::test]
async fn duplicates_that_are_in_the_index_are_found_in_pieces() {
    let server = Server::start().await;
    let sql = "CREATE TABLE t (a int, b text); INSERT INTO t SELECT n % 4999, 'b' FROM generate_series(1, 5000) AS n;
        INSERT INTO t VALUES (NULL, 'b'), (NULL, 'b');
        CREATE INDEX u ON t (a); UPDATE pg_index SET indisunique = true WHERE indexrelid = 'u'::regclass";
    server.database("shop", sql).await;
    let pieces = Options { chunk_bytes: SMALL, ..Options::default() };
    let seen = server.verify_with(&pieces).await;
    seen.expect("uniqueness", "shop", Failed, "public.u", "1 row of public.t with the key of another");
    assert_eq!(seen.check("uniqueness", "shop").findings.len(), 2, "each of the two, where it lies");
    assert_eq!(seen.check("indexes", "shop").result, Passed);
}

/// Everything that makes an index or a table look odd and is as it should be.
const ODD: &str = "
    CREATE TABLE busy (id int PRIMARY KEY, v text, n int, doc jsonb, at timestamptz, spot point, range int4range);
    CREATE INDEX busy_v ON busy (v); CREATE INDEX busy_up ON busy (upper(v), n DESC NULLS LAST);
    CREATE INDEX busy_part ON busy (n) WHERE n % 3 = 0; CREATE UNIQUE INDEX busy_null ON busy (nullif(n, n));
    CREATE INDEX busy_hash ON busy USING hash (v); CREATE INDEX busy_gin ON busy USING gin (doc);
    CREATE INDEX busy_gist ON busy USING gist (range); CREATE INDEX busy_spgist ON busy USING spgist (spot);
    CREATE INDEX busy_brin ON busy USING brin (at); CREATE INDEX busy_id_n ON busy (id, n); CREATE INDEX busy_id_again ON busy (id);
    CREATE INDEX busy_c ON busy (v COLLATE \"C\" DESC, n NULLS FIRST) INCLUDE (id);
    INSERT INTO busy SELECT n, CASE WHEN n % 7 > 0 THEN md5(n::text) END, n, jsonb_build_object('n', n), now(), point(n, n), int4range(n, n + 2)
      FROM generate_series(1, 3000) AS n;
    UPDATE busy SET n = n + 1; UPDATE busy SET v = v || 'x' WHERE id % 10 = 0; DELETE FROM busy WHERE id % 4 = 0;
    BEGIN; INSERT INTO busy SELECT n FROM generate_series(10001, 10500) AS n; UPDATE busy SET v = 'y' WHERE id % 10 = 1; ROLLBACK;
    CREATE TABLE clustered (id int PRIMARY KEY, v text); INSERT INTO clustered SELECT n, md5(n::text) FROM generate_series(1, 2000) AS n;
    CREATE INDEX clustered_v ON clustered (v); CLUSTER clustered USING clustered_v; REINDEX TABLE clustered;
    CREATE TABLE cut (id int PRIMARY KEY); INSERT INTO cut SELECT generate_series(1, 20000); ANALYZE cut; DELETE FROM cut WHERE id > 100;
    CREATE TABLE bare (n int, v text); INSERT INTO bare SELECT n, repeat('x', 500) FROM generate_series(1, 3000) AS n; ANALYZE bare;
    DELETE FROM bare WHERE n > 10;
    CREATE TABLE wiped (id int PRIMARY KEY, v text); INSERT INTO wiped SELECT n, 'x' FROM generate_series(1, 2000) AS n; ANALYZE wiped; TRUNCATE wiped;
    CREATE TABLE parts (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    INSERT INTO parts SELECT n, '2025-06-01'::date + n % 400 FROM generate_series(1, 1000) AS n;
    CREATE TABLE \"holdfast_walk\" (k1 int PRIMARY KEY, n int, t int, p1 int, place int);
    INSERT INTO \"holdfast_walk\" SELECT n, n FROM generate_series(1, 500) AS n; CREATE INDEX ON \"holdfast_walk\" (t, n, p1);
    CREATE TABLE arrays (a int[], m money, f float8, d numeric, b bytea, PRIMARY KEY (a, f));
    INSERT INTO arrays SELECT ARRAY[n, NULL], n::money, CASE n WHEN 1 THEN 'NaN'::float8 WHEN 2 THEN '-0' ELSE n END, n, sha256(n::text::bytea)
      FROM generate_series(1, 500) AS n; CREATE INDEX ON arrays (d DESC, m); CREATE INDEX ON arrays (b);
    CREATE TABLE plain_text (v text); ALTER TABLE plain_text ALTER v SET STORAGE PLAIN; INSERT INTO plain_text VALUES ('x'), ('x');
    CREATE INDEX ON plain_text (v); CREATE MATERIALIZED VIEW later AS SELECT 1 AS one WITH NO DATA; CREATE INDEX ON later (one);
    CREATE TABLE big (id int PRIMARY KEY, v text); ALTER TABLE big ALTER v SET STORAGE EXTERNAL;
    INSERT INTO big SELECT n, repeat(md5(n::text), 500) FROM generate_series(1, 20) AS n; DELETE FROM big WHERE id > 15";

async fn nothing_is_wrong_with(binaries: Binaries) {
    let server = Server::of(binaries).await;
    server.database("odd", ODD).await;
    let pieces = Options { chunk_bytes: SMALL, ..Options::default() };
    for round in ["as it is", "after VACUUM", "after VACUUM FULL"] {
        for options in [Options::default(), own(), Options::default(), pieces.clone()] {
            let seen = server.verify_with(&options).await;
            for check in ["storage", "indexes", "uniqueness"] {
                for scope in ["odd", "postgres"] {
                    assert_eq!(
                        seen.check(check, scope).result,
                        Passed,
                        "{round}: {:#?}",
                        seen.check(check, scope)
                    );
                }
            }
        }
        let next = if round == "as it is" { "VACUUM ANALYZE" } else { "VACUUM FULL" };
        server.sql("odd", next).await;
        for extension in ["amcheck", "pg_prewarm"] {
            for database in ["odd", "postgres"] {
                server.sql(database, &format!("DROP EXTENSION {extension}")).await;
            }
        }
    }
}

#[tokio::test]
async fn nothing_is_wrong_with_what_is_merely_odd() {
    nothing_is_wrong_with(Binaries::find().await.unwrap()).await;
}

#[tokio::test]
async fn nor_on_other_majors() {
    for binaries in Binaries::majors().await.unwrap() {
        if ["12", "14", "18"].contains(&binaries.major_version()) {
            nothing_is_wrong_with(binaries).await;
        }
    }
}

#[tokio::test]
async fn other_majors_name_it_too() {
    for binaries in Binaries::majors().await.unwrap() {
        let major: u32 = binaries.major_version().parse().unwrap();
        if ![12, 18].contains(&major) {
            continue;
        }
        let server = Server::of(binaries).await;
        server.database("shop", OUT_OF_STEP).await;
        failed_build(&server, "shop").await;
        for options in [Options::default(), own()] {
            let seen = server.verify_with(&options).await;
            for index in [
                "public.by_turned",
                "public.by_moved",
                "public.lost_v",
                "public.by_word",
                "public.by_word_down",
            ] {
                seen.expect("indexes", "shop", Failed, index, "");
            }
            if major >= 14 {
                seen.expect("indexes", "shop", Failed, "public.by_hash", "10 rows");
            } else {
                let mut hash = seen
                    .outcome
                    .not_checked
                    .iter()
                    .filter(|not| not.object.as_deref() == Some("public.by_hash"));
                assert!(hash.any(|not| not.check == "indexes"));
            }
        }
    }
}
