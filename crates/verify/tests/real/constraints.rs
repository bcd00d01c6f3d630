//! Rows that break what the catalog promises of them are named, whatever the catalog says of the promise.

use holdfast_core::validation::{CheckResult::*, Coverage, Verdict, verdict};
use holdfast_local_postgres::Binaries;
use holdfast_verify::Options;

use crate::server::{PAGE, Seen, Server, flip, only};

/// Everything that a row can be held to, and rows that hold.
const WHOLE: &str = r#"
    CREATE DOMAIN code AS text CONSTRAINT "capital; letters" CHECK (VALUE ~ '^[A-Z]+$' AND 'VALUE' <> VALUE);
    CREATE DOMAIN short_code AS code CHECK (length(VALUE) <= 4);
    CREATE DOMAIN required AS int NOT NULL;
    CREATE DOMAIN padded AS char(4) CHECK (length(VALUE) > 0);
    CREATE TYPE pair AS (a int, b int);
    CREATE TYPE holder AS (n int, inner_code short_code);
    CREATE DOMAIN list AS code[];
    CREATE TYPE spans AS RANGE (subtype = required);
    CREATE TABLE limits (n int);
    INSERT INTO limits VALUES (5000);
    CREATE FUNCTION within_limits(int) RETURNS bool IMMUTABLE LANGUAGE plpgsql
        AS $$ BEGIN RETURN $1 < (SELECT max(n) FROM limits); END $$;
    CREATE FUNCTION fussy(n int) RETURNS bool IMMUTABLE LANGUAGE plpgsql
        AS $$ BEGIN IF n = 77 THEN RAISE 'the secret is %', n; END IF; RETURN true; END $$;
    CREATE TABLE goods (
        id int PRIMARY KEY, price int, value short_code, stock required, label text NOT NULL, two pair NOT NULL,
        pad padded, codes code[], until timestamptz, "Odd ""name" int, day date,
        held holder, several holder[], listed list, span spans,
        CONSTRAINT "price; positive" CHECK (price > 0 AND value IS NOT NULL),
        CONSTRAINT cheap CHECK (price < 10000),
        CONSTRAINT limited CHECK (within_limits(price)),
        CONSTRAINT whole_row CHECK (goods.* IS DISTINCT FROM NULL),
        CHECK ("Odd ""name" <> 3)
    );
    INSERT INTO goods SELECT n, n, chr(65 + n % 26), n, 'label ' || n, ROW(NULL, NULL)::pair, 'a', ARRAY['X'], now(), 1
      FROM generate_series(1, 2000) AS n;
    INSERT INTO goods (id, value, stock, label, two) VALUES (0, 'NULL', 1, '', ROW(1, NULL));
    CREATE TABLE parted (at date NOT NULL, n int) PARTITION BY RANGE (at);
    CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (n);
    CREATE TABLE parted_1_one PARTITION OF parted_1 FOR VALUES IN (1);
    CREATE TABLE parted_1_two PARTITION OF parted_1 FOR VALUES IN (2);
    CREATE TABLE parted_rest PARTITION OF parted DEFAULT;
    INSERT INTO parted VALUES ('2025-05-01', 1), ('2025-05-02', 2), ('2025-05-03', 2), ('2030-01-01', 1);
    CREATE TABLE hashed (n int) PARTITION BY HASH (n);
    CREATE TABLE hashed_0 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE hashed_1 PARTITION OF hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO hashed SELECT generate_series(1, 100);
"#;

/// Past the catalog, which says afterwards what it said before.
const DAMAGE: &[&str] = &[
    "ALTER TABLE goods DROP CONSTRAINT \"price; positive\"",
    "UPDATE goods SET price = -1 WHERE id IN (10, 1000, 1990)",
    "ALTER TABLE goods ADD CONSTRAINT \"price; positive\" CHECK (price > 0 AND value IS NOT NULL) NOT VALID;
     UPDATE pg_constraint SET convalidated = true WHERE conname = 'price; positive'",
    "UPDATE pg_attribute SET attnotnull = false WHERE attrelid = 'goods'::regclass AND attname = 'label'",
    "UPDATE goods SET label = NULL WHERE id IN (20, 21)",
    "UPDATE pg_attribute SET attnotnull = true WHERE attrelid = 'goods'::regclass AND attname = 'label'",
    "ALTER DOMAIN code DROP CONSTRAINT \"capital; letters\"; ALTER DOMAIN required DROP NOT NULL",
    "UPDATE goods SET value = 'x' WHERE id = 30; UPDATE goods SET stock = NULL WHERE id IN (31, 32, 33, 34)",
    "ALTER DOMAIN code ADD CONSTRAINT \"capital; letters\" CHECK (VALUE ~ '^[A-Z]+$' AND 'VALUE' <> VALUE) NOT VALID;
     UPDATE pg_constraint SET convalidated = true WHERE conname = 'capital; letters';
     UPDATE pg_type SET typnotnull = true WHERE typname = 'required'",
    // Two partitions change their bounds, so that each has the rows of the other.
    "UPDATE pg_class c SET relpartbound = o.relpartbound FROM pg_class o
      WHERE (c.relname, o.relname) IN (('parted_1_one', 'parted_1_two'), ('parted_1_two', 'parted_1_one'),
                                       ('hashed_0', 'hashed_1'), ('hashed_1', 'hashed_0'))",
    // What the source never promised, and what was so when it was written.
    "ALTER TABLE goods ADD CONSTRAINT doubtful CHECK (id > 5) NOT VALID",
    "UPDATE goods SET until = '2020-01-01', day = '2020-01-01' WHERE id = 40;
     ALTER TABLE goods ADD CONSTRAINT today CHECK (day >= current_date) NOT VALID;
     ALTER TABLE goods ADD CONSTRAINT lately CHECK (until > date '2021-01-01') NOT VALID;
     UPDATE pg_constraint SET convalidated = true WHERE conname IN ('today', 'lately');
     ALTER TABLE goods ADD CONSTRAINT current CHECK (until > now() - interval '1 hour') NOT VALID;
     UPDATE pg_constraint SET convalidated = true WHERE conname = 'current'",
];

fn damages_are_named(seen: &Seen) {
    let named = [
        ("\"price; positive\" on public.goods", "3 rows violating it"),
        ("public.goods.label", "2 rows with NULL in a NOT NULL column"),
        ("public.goods.stock", "4 rows with NULL in a NOT NULL domain (public.required)"),
        ("public.goods.value", "1 row violating \"capital; letters\" of the domain public.code"),
        ("public.parted_1_one", "1 row that its bounds as a partition do not allow"),
        ("public.parted_1_two", "2 rows that its bounds as a partition do not allow"),
        ("public.hashed_0", "rows that its bounds as a partition do not allow"),
        ("public.hashed_1", "rows that its bounds as a partition do not allow"),
    ];
    for (object, message) in named {
        seen.expect("constraints", "shop", Failed, object, message);
    }
    let check = seen.check("constraints", "shop");
    assert_eq!(check.findings.len(), named.len(), "{check:#?}");
    let reason = seen.reason("constraints", "shop");
    assert!(reason.contains("doubtful on public.goods is NOT VALID: 6 rows violating it"), "{reason}");
    for changing in ["current", "today", "lately"] {
        assert!(reason.contains(&format!("{changing} on public.goods: 1 row violating it now")), "{reason}");
    }
    for column in ["codes", "held", "several", "listed", "span"] {
        let inside = seen.not_checked("constraints", &format!("public.goods.{column}"));
        assert!(inside.is_some_and(|reason| reason.contains("domains inside")), "{column}");
    }
    assert_eq!(seen.not_checked("constraints", "public.goods.two"), None);
}

#[tokio::test]
async fn rows_that_break_a_constraint_are_named_on_every_major() {
    for binaries in Binaries::majors().await.unwrap() {
        let major: u32 = binaries.major_version().parse().unwrap();
        eprintln!("PostgreSQL {major}");
        let server = Server::of(binaries).await;
        server.database("shop", WHOLE).await;
        let seen = server.verify_with(&only(&["constraints"])).await;
        assert_eq!(verdict(&seen.outcome.checks), Verdict::Valid, "{:#?}", seen.outcome.checks);
        for damage in DAMAGE {
            server.sql("shop", damage).await;
        }
        if major >= 18 {
            server.sql("shop", "ALTER TABLE goods ADD CONSTRAINT loose CHECK (id < 0) NOT ENFORCED").await;
            server.sql("shop", "ALTER TABLE goods ADD CONSTRAINT hoped NOT NULL day NOT VALID").await;
        }
        let seen = server.verify_with(&only(&["constraints"])).await;
        damages_are_named(&seen);
        let hoped = seen.reason("constraints", "shop").contains("public.goods.day is NOT VALID: 2000 rows");
        assert_eq!(hoped, major >= 18, "{}", seen.reason("constraints", "shop"));
        let loose = seen.not_checked("constraints", "loose on public.goods");
        assert_eq!(loose.is_some(), major >= 18, "{loose:?}");
    }
}

/// Of all findings about an object, the rows they count.
fn rows(seen: &Seen, object: &str) -> u64 {
    let findings = &seen.check("constraints", "shop").findings;
    let counts = findings.iter().filter(|finding| finding.object == object);
    counts.map(|finding| finding.message.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn ranges_add_up_and_a_sample_says_that_it_is_one() {
    let server = Server::start().await;
    server.database("shop", WHOLE).await;
    for damage in DAMAGE {
        server.sql("shop", damage).await;
    }
    let ranged = Options { chunk_bytes: 64 << 10, ..only(&["constraints"]) };
    let seen = server.verify_with(&ranged).await;
    assert_eq!(rows(&seen, "\"price; positive\" on public.goods"), 3);
    assert_eq!(rows(&seen, "public.goods.stock"), 4);
    let findings = &seen.check("constraints", "shop").findings;
    assert!(findings.iter().any(|finding| finding.message.contains(" in pages ")), "{findings:#?}");

    // Of 20,000 rows that are all wrong a part is seen, and the report says so.
    let wide = "CREATE TABLE wide (n int NOT NULL, pad text);
        INSERT INTO wide SELECT n, repeat('x', 200) FROM generate_series(1, 20000) AS n";
    server.sql("shop", wide).await;
    let null = "UPDATE pg_attribute SET attnotnull = @ WHERE attrelid = 'wide'::regclass AND attname = 'n'";
    server.sql("shop", &null.replace('@', "false")).await;
    server.sql("shop", "UPDATE wide SET n = NULL").await;
    server.sql("shop", "VACUUM FULL wide").await;
    server.sql("shop", &null.replace('@', "true")).await;
    let mut sampled = only(&["constraints"]);
    sampled.checks.constraints = Coverage::SamplePercent(10.0);
    let seen = server.verify_with(&sampled).await;
    let found = rows(&seen, "public.wide.n");
    assert!((1500..4000).contains(&found), "{found}");
    assert!(seen.not_checked("constraints", "public.wide").unwrap().contains("10 %"));
    assert_eq!(rows(&server.verify_with(&only(&["constraints"])).await, "public.wide.n"), 20_000);
}

#[tokio::test]
async fn an_expression_that_fails_leaves_only_itself_open() {
    let server = Server::start().await;
    server.database("shop", WHOLE).await;
    server
        .sql(
            "shop",
            "ALTER TABLE goods ADD CONSTRAINT fussy CHECK (fussy(id)) NOT VALID;
             UPDATE pg_constraint SET convalidated = true WHERE conname = 'fussy'",
        )
        .await;
    let seen = server.verify_with(&only(&["constraints"])).await;
    seen.expect("constraints", "shop", Errored, "fussy on public.goods", "it raises the error P0001");
    assert_eq!(seen.check("constraints", "shop").findings.len(), 1);
    assert!(!format!("{:?}", seen.outcome).contains("secret is 77"), "what a function says of a row is data");

    for damage in &DAMAGE[..3] {
        server.sql("shop", damage).await;
    }
    let seen = server.verify_with(&only(&["constraints"])).await;
    seen.expect("constraints", "shop", Failed, "\"price; positive\" on public.goods", "3 rows violating it");
    assert!(seen.reason("constraints", "shop").contains("fussy on public.goods"));
}

#[tokio::test]
async fn a_message_about_names_is_shown_and_a_table_that_cannot_be_read_is_not_its_constraints_fault() {
    let mut server = Server::start().await;
    let sql = "CREATE FUNCTION gone(int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1 IN (SELECT n FROM nowhere); END';
        CREATE TABLE t (n int NOT NULL); INSERT INTO t SELECT generate_series(1, 5000);
        ALTER TABLE t ADD CONSTRAINT sure CHECK (n > 0);
        ALTER TABLE t ADD CONSTRAINT gone CHECK (gone(n)) NOT VALID;
        CREATE TEMPORARY TABLE mine (n int NOT NULL CHECK (n > 0))";
    server.database("shop", sql).await;
    let seen = server.verify_with(&only(&["constraints"])).await;
    seen.expect("constraints", "shop", Errored, "gone on public.t", "relation \"nowhere\" does not exist");
    assert_eq!(seen.check("constraints", "shop").findings.len(), 1);

    let file = server.file_of("shop", "t").await;
    server.while_stopped(|| flip(&file, 3 * PAGE + 5000)).await;
    let seen = server.verify_with(&only(&["constraints"])).await;
    seen.expect("constraints", "shop", Failed, "public.t", "invalid page in block 3");
    assert_eq!(seen.check("constraints", "shop").findings.len(), 1);
}
