//! Data that disagrees with itself is named: keys that lead nowhere, sequences behind their columns.

use holdfast_core::validation::{CheckResult::*, Coverage};
use holdfast_local_postgres::{Binaries, StopMode};
use holdfast_verify::Options;

use crate::server::{Server, only};

/// Past every constraint, as a faulty replica would.
async fn behind_the_back(server: &Server, sql: &str) {
    server.sql("shop", &format!("SET session_replication_role = replica; {sql}")).await;
}

/// Keys reach neither a child of the table referred to nor one of the table that refers.
const INHERITED: &str = "
    CREATE TABLE named (id int PRIMARY KEY); CREATE TABLE named_more () INHERITS (named);
    INSERT INTO named VALUES (1); INSERT INTO named_more VALUES (7);
    CREATE TABLE named_by (id int CONSTRAINT by_id REFERENCES named);
    CREATE TABLE named_by_more () INHERITS (named_by); INSERT INTO named_by_more VALUES (99)";

#[tokio::test]
async fn orphans_sequences_and_indexes_are_named() {
    let server = Server::start().await;
    server.shop("shop").await;
    behind_the_back(
        &server,
        "DELETE FROM customers WHERE id IN (10, 20); UPDATE lines SET placed = NULL WHERE line = 5;
        UPDATE tree SET parent = 99 WHERE id = 3; INSERT INTO logins VALUES ('nobody')",
    )
    .await;
    server.sql("shop", INHERITED).await;
    behind_the_back(&server, "INSERT INTO named_by VALUES (7)").await;
    server.sql("shop", "SELECT setval('lines_line_seq', 17); SELECT setval('countdown', -3);
        SELECT setval('steps_n_seq', 31); SELECT setval('\"My Schema\".\"''); DROP TABLE customers; --_%I_seq\"', 1, false);
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'lines_by_sku'::regclass").await;
    let seen = server.verify().await;
    seen.all_passed_but(&[("foreign-keys", "shop"), ("indexes", "shop"), ("sequences", "shop")]);

    // Partitioned, self-referring, MATCH FULL, and with the equality of an extension's type.
    for (object, message) in [
        (
            "orders_customer_fkey on public.orders (partition public.orders_2025)",
            "8 rows of public.orders_2025 without a match in public.customers",
        ),
        ("\"lines of; orders\" on public.lines", "1 row of public.lines without a match in public.orders"),
        ("tree_parent_fkey on public.tree", "1 row of public.tree"),
        ("logins_login_fkey on public.logins", "3 rows of public.logins"),
        ("by_id on public.named_by", "1 row of public.named_by without a match in public.named"),
    ] {
        seen.expect("foreign-keys", "shop", Failed, object, message);
    }
    assert_eq!(seen.check("foreign-keys", "shop").findings.len(), 5);

    for (object, message) in [
        (
            "public.lines_line_seq",
            "stands at 17 while public.lines.line has 1984 rows at its next value or past it",
        ),
        ("public.countdown", "stands at -3 while public.down.n has 2 rows"),
        ("public.steps_n_seq", "stands at 31"),
        (r#""My Schema"."'); DROP TABLE customers; --_%I_seq""#, "not yet used"),
    ] {
        seen.expect("sequences", "shop", Failed, object, message);
    }
    assert_eq!(seen.check("sequences", "shop").findings.len(), 4);
    assert!(seen.reason("sequences", "shop").contains("public.codes"));

    seen.expect("indexes", "shop", Failed, "public.lines_by_sku", "is invalid");
    assert_eq!(seen.check("indexes", "shop").findings.len(), 1);
}

/// A parent so large, beside the pages that refer to it, that it is looked up by its index.
const LOOKED_UP: &str = "
    CREATE TABLE parent (id int PRIMARY KEY, pad text) WITH (fillfactor = 50);
    INSERT INTO parent SELECT n, repeat('x', 200) FROM generate_series(1, 20000) AS n;
    CREATE TABLE child (n int, parent int NOT NULL CONSTRAINT to_parent REFERENCES parent);
    INSERT INTO child SELECT n, n FROM generate_series(1, 20000) AS n;
    CREATE TABLE many (id bigint, k int, PRIMARY KEY (id, k)) PARTITION BY RANGE (k);
    CREATE TABLE many_1 PARTITION OF many FOR VALUES FROM (0) TO (10000) WITH (fillfactor = 20);
    CREATE TABLE many_2 PARTITION OF many FOR VALUES FROM (10000) TO (30000) WITH (fillfactor = 20);
    INSERT INTO many SELECT n, n FROM generate_series(1, 20000) AS n;
    CREATE TABLE few (id int, k int, CONSTRAINT to_many FOREIGN KEY (id, k) REFERENCES many);
    INSERT INTO few SELECT n, n FROM generate_series(1, 20000, 100) AS n;
    INSERT INTO few VALUES (1, NULL), (NULL, NULL)";

/// What an index does not see is not put into it, and a row that changes on its page is reached by its old key.
async fn unseen_by(server: &Server, index: &str, sql: &str) {
    let live =
        |live: bool| format!("UPDATE pg_index SET indislive = {live} WHERE indexrelid = '{index}'::regclass");
    server.sql("shop", &live(false)).await;
    behind_the_back(server, sql).await;
    server.sql("shop", &live(true)).await;
}

#[tokio::test]
async fn an_index_that_lies_neither_hides_an_orphan_nor_makes_one() {
    for binaries in Binaries::majors().await.unwrap() {
        if !["12", "14", "18"].contains(&binaries.major_version()) {
            continue;
        }
        let server = Server::of(binaries).await;
        server.database("shop", LOOKED_UP).await;
        let options = Options { chunk_bytes: 64 << 10, ..only(&["foreignKeys"]) };
        let seen = server.verify_with(&options).await;
        assert_eq!(seen.check("foreign-keys", "shop").result, Passed, "{:#?}", seen.outcome.checks);

        // The index knows nothing of a row that is there: no orphan.
        unseen_by(&server, "parent_pkey", "INSERT INTO parent VALUES (50000, 'new')").await;
        behind_the_back(&server, "INSERT INTO child VALUES (0, 50000)").await;
        let seen = server.verify_with(&options).await;
        assert_eq!(seen.check("foreign-keys", "shop").result, Passed, "{:#?}", seen.outcome.checks);

        // The index leads from key 7 to a row that has another: an orphan all the same.
        unseen_by(&server, "parent_pkey", "UPDATE parent SET id = 90007 WHERE id = 7").await;
        let lie = "SET enable_seqscan = off; SET enable_bitmapscan = off; SELECT 1 / count(*) FROM parent WHERE id = 7";
        server.sql("shop", lie).await;
        behind_the_back(&server, "DELETE FROM many WHERE id = 10001").await;
        let seen = server.verify_with(&options).await;
        let place = "1 row in pages 0 to 7 of public.child";
        seen.expect("foreign-keys", "shop", Failed, "to_parent on public.child", place);
        let key = "to_many on public.few";
        seen.expect(
            "foreign-keys",
            "shop",
            Failed,
            key,
            "1 row of public.few without a match in public.many",
        );
        assert_eq!(seen.check("foreign-keys", "shop").findings.len(), 2);
    }
}

#[tokio::test]
async fn a_sample_of_a_foreign_key_says_that_it_is_one() {
    for binaries in Binaries::majors().await.unwrap() {
        if !["12", "14"].contains(&binaries.major_version()) {
            continue;
        }
        let server = Server::of(binaries).await;
        let schema = "CREATE TABLE parent (id int PRIMARY KEY);
            CREATE TABLE child (parent int CONSTRAINT to_parent REFERENCES parent, pad text);
            SET session_replication_role = replica;
            INSERT INTO child SELECT n, repeat('x', 200) FROM generate_series(1, 20000) AS n";
        server.database("shop", schema).await;
        let mut options = only(&["foreignKeys"]);
        options.checks.foreign_keys = Coverage::SamplePercent(10.0);
        let seen = server.verify_with(&options).await;
        let key = "to_parent on public.child";
        assert!(seen.not_checked("foreign-keys", key).unwrap().contains("10 %"));
        let findings = &seen.check("foreign-keys", "shop").findings;
        let rows = findings.iter().map(|finding| finding.message.split(' ').next().unwrap());
        let rows: u64 = rows.map(|rows| rows.parse::<u64>().unwrap()).sum();
        // TABLESAMPLE takes each page by chance, always the same chance.
        assert!((1000..4000).contains(&rows), "{rows}: {findings:#?}");
    }
}

/// Periods that together cover the one that refers to them, and one that falls into a gap.
const PERIODS: &str = "
    CREATE EXTENSION btree_gist;
    CREATE TABLE rooms (id int, open daterange, PRIMARY KEY (id, open WITHOUT OVERLAPS));
    INSERT INTO rooms VALUES (1, '[2026-01-01,2026-02-01)'), (1, '[2026-02-01,2026-03-01)'), (1, '[2026-04-01,)');
    CREATE TABLE stays (n int, room int, at daterange,
        CONSTRAINT in_a_room FOREIGN KEY (room, PERIOD at) REFERENCES rooms (id, PERIOD open));
    INSERT INTO stays VALUES (1, 1, '[2026-01-15,2026-02-15)'), (2, NULL, '[2020-01-01,2020-01-02)'),
        (3, 1, '[2026-05-01,)'), (4, 1, NULL);
    ALTER TABLE stays ADD CONSTRAINT loose FOREIGN KEY (n) REFERENCES loose_ends (id) NOT ENFORCED";

#[tokio::test]
async fn periods_must_be_covered() {
    let Some(binaries) = Binaries::major(18).await.unwrap() else {
        return eprintln!("PostgreSQL 18 is not installed, not tested");
    };
    let server = Server::of(binaries).await;
    server.database("shop", &format!("CREATE TABLE loose_ends (id int PRIMARY KEY); {PERIODS}")).await;
    let kept_apart = "CREATE TABLE kept (k int, at int4range, EXCLUDE USING gist (k WITH =, at WITH &&)) PARTITION BY LIST (k)";
    server.sql("shop", kept_apart).await;
    let seen = server.verify_with(&only(&["foreignKeys", "uniqueness"])).await;
    assert_eq!(seen.check("foreign-keys", "shop").result, Passed, "{:#?}", seen.outcome.checks);
    assert_eq!(seen.check("uniqueness", "shop").result, Passed, "{:#?}", seen.outcome.checks);
    let loose = seen.not_checked("foreign-keys", "loose on public.stays");
    assert!(loose.is_some_and(|reason| reason.contains("not enforced")));
    behind_the_back(
        &server,
        "INSERT INTO stays VALUES (5, 1, '[2026-02-15,2026-04-15)'), (6, 2, '[2026-05-01,2026-05-02)')",
    )
    .await;
    let seen = server.verify_with(&only(&["foreignKeys"])).await;
    seen.expect("foreign-keys", "shop", Failed, "in_a_room on public.stays", "2 rows of public.stays");
}

/// Keys whose columns are compared by the collation of the table referred to; a value that is NULL in all its parts and
/// is there all the same; keys that are NULL in part.
const COMPARED: &str = "
    CREATE TABLE words (w text COLLATE \"C\" PRIMARY KEY); INSERT INTO words VALUES ('a'), ('b');
    CREATE TABLE worded (w text COLLATE \"POSIX\" CONSTRAINT to_word REFERENCES words); INSERT INTO worded VALUES ('a'), (NULL);
    CREATE TYPE pair AS (a int, b int);
    CREATE TABLE pairs (p pair PRIMARY KEY); INSERT INTO pairs VALUES (ROW(1, 2));
    CREATE TABLE paired (p pair CONSTRAINT to_pair REFERENCES pairs); INSERT INTO paired VALUES (NULL);
    CREATE TABLE two (a int, b int, PRIMARY KEY (a, b)); INSERT INTO two VALUES (1, 1);
    CREATE TABLE simple (a int, b int, CONSTRAINT by_two FOREIGN KEY (a, b) REFERENCES two);
    INSERT INTO simple VALUES (1, 1), (7, NULL), (NULL, 7), (NULL, NULL);
    CREATE TABLE whole (a int, b int, CONSTRAINT by_whole FOREIGN KEY (a, b) REFERENCES two MATCH FULL);
    INSERT INTO whole VALUES (1, 1), (NULL, NULL)";

#[tokio::test]
async fn a_key_is_compared_as_the_server_compares_it() {
    let server = Server::start().await;
    server.database("shop", COMPARED).await;
    let seen = server.verify_with(&only(&["foreignKeys"])).await;
    assert_eq!(seen.check("foreign-keys", "shop").result, Passed, "{:#?}", seen.outcome.checks);
    let broken = "INSERT INTO worded VALUES ('A'); INSERT INTO paired VALUES (ROW(NULL, NULL));
        INSERT INTO simple VALUES (1, 7); INSERT INTO whole VALUES (1, 7), (7, NULL), (NULL, 7)";
    behind_the_back(&server, broken).await;
    let seen = server.verify_with(&only(&["foreignKeys"])).await;
    for (object, message) in [
        ("to_word on public.worded", "1 row of"),
        ("to_pair on public.paired", "1 row of"),
        ("by_two on public.simple", "1 row of"),
        ("by_whole on public.whole", "3 rows of"),
    ] {
        seen.expect("foreign-keys", "shop", Failed, object, message);
    }
    assert_eq!(seen.check("foreign-keys", "shop").findings.len(), 4);
}

/// Sequences by every way in which a column can have one.
const SEQUENCES: &str = "
    CREATE SEQUENCE shared;
    CREATE TABLE one (n bigint DEFAULT nextval('shared'), code text);
    CREATE TABLE two (n numeric DEFAULT nextval('shared'));
    CREATE TABLE one_more () INHERITS (one);
    INSERT INTO one (code) SELECT 'x' FROM generate_series(1, 10);
    INSERT INTO two SELECT FROM generate_series(1, 10);
    INSERT INTO one_more (code) VALUES ('x');
    CREATE SEQUENCE \"by; ten\";
    CREATE TABLE tens (n int DEFAULT nextval('\"by; ten\"') * 10);
    INSERT INTO tens SELECT FROM generate_series(1, 5);
    CREATE TABLE split (id int GENERATED ALWAYS AS IDENTITY, k int) PARTITION BY LIST (k);
    CREATE TABLE split_1 PARTITION OF split FOR VALUES IN (1);
    CREATE TABLE split_2 PARTITION OF split FOR VALUES IN (2);
    INSERT INTO split (k) SELECT 1 + n % 2 FROM generate_series(1, 20) AS n;
    CREATE SEQUENCE spare;
    CREATE TABLE parts (id int DEFAULT nextval('spare'), k int) PARTITION BY LIST (k);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
    INSERT INTO parts (k) SELECT 1 FROM generate_series(1, 7);
    CREATE SEQUENCE round MAXVALUE 3 CYCLE;
    CREATE TABLE rounds (n int DEFAULT nextval('round'));
    INSERT INTO rounds SELECT FROM generate_series(1, 5);
    CREATE SEQUENCE used_up MINVALUE 9223372036854775800;
    CREATE TABLE full_up (n bigint DEFAULT nextval('used_up'));
    INSERT INTO full_up SELECT FROM generate_series(1, 8);
    CREATE EXTENSION postgres_fdw;
    CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid');
    CREATE FOREIGN TABLE one_away () INHERITS (one) SERVER away";

#[tokio::test]
async fn every_column_that_a_sequence_feeds_is_asked() {
    for binaries in Binaries::majors().await.unwrap() {
        if !["12", "14", "18"].contains(&binaries.major_version()) {
            continue;
        }
        let server = Server::of(binaries).await;
        // Identity of a partitioned table reaches its partitions since PostgreSQL 17.
        server.database("shop", SEQUENCES).await;
        let seen = server.verify_with(&only(&["sequences"])).await;
        assert_eq!(seen.check("sequences", "shop").result, Passed, "{:#?}", seen.outcome.checks);
        let tens = seen.not_checked("sequences", "public.\"by; ten\"");
        assert!(tens.is_some_and(|reason| reason.contains("does something with the value")));
        assert_eq!(seen.not_checked("sequences", "public.round"), Some("it cycles"));
        let away = seen.not_checked("sequences", "public.shared");
        assert!(away.is_some_and(|reason| reason.contains("public.one_away is a foreign table")));

        server
            .sql("shop", "SELECT setval('shared', 15); SELECT setval('split_id_seq', 11), setval('spare', 3)")
            .await;
        let seen = server.verify_with(&only(&["sequences"])).await;
        for message in [
            "stands at 15 while public.one.n has 1 row (in public.one_more)",
            "stands at 15 while public.two.n has 5 rows at its next value or past it",
        ] {
            seen.expect("sequences", "shop", Failed, "public.shared", message);
        }
        seen.expect("sequences", "shop", Failed, "public.split_id_seq", "5 rows (in public.split_1)");
        seen.expect("sequences", "shop", Failed, "public.split_id_seq", "4 rows (in public.split_2)");
        seen.expect(
            "sequences",
            "shop",
            Failed,
            "public.spare",
            "public.parts.id has 4 rows (in public.parts_1)",
        );
        assert_eq!(seen.check("sequences", "shop").findings.len(), 5);
    }
}

/// Everything that a check looks at, of a session's own.
const TEMPORARY: &str = "
    CREATE TEMPORARY TABLE mine (id serial PRIMARY KEY, size small CHECK (size > 0), sizes small[], v text NOT NULL,
        at int4range, EXCLUDE USING gist (at WITH &&));
    CREATE TEMPORARY TABLE of_mine (mine int REFERENCES mine, note text);
    CREATE TEMPORARY VIEW view_of_mine AS SELECT v FROM mine;
    INSERT INTO mine SELECT n, 1, ARRAY[1], repeat('v', 3000), int4range(n, n + 1) FROM generate_series(1, 100) AS n;
    INSERT INTO of_mine SELECT 1";

#[tokio::test]
async fn temporary_tables_are_nobodys_data() {
    let mut server = Server::start().await;
    server
        .database("shop", "CREATE TABLE t AS SELECT 1 AS n; CREATE DOMAIN small AS int CHECK (VALUE < 10)")
        .await;
    let client = server.connect("shop").await;
    client.batch_execute(TEMPORARY).await.unwrap();
    let own = Options { may_create_extensions: true, ..Options::default() };
    let mut unread = own.clone();
    unread.checks.content = Coverage::Off;
    let everything = [Options::default(), own, unread];
    // Another session cannot read them. After a crash the catalog still has them, and their files are gone.
    for left in [false, true] {
        if left {
            server.cluster.stop(StopMode::Immediate).await.unwrap();
            server.cluster.start().await.unwrap();
        }
        let there = "SELECT count(*) > 5 FROM pg_class WHERE relpersistence = 't'";
        assert_eq!(server.value("shop", there).await, "true");
        for options in &everything {
            let seen = server.verify_with(options).await;
            seen.all_passed_but(&[]);
            let told = format!("{:?}{:?}", seen.outcome.not_checked, seen.outcome.manifest);
            assert!(!told.contains("mine"), "{told}");
        }
    }
}

#[tokio::test]
async fn inventory_says_that_there_is_nothing() {
    let server = Server::start().await;
    let seen = server.verify().await;
    seen.expect("inventory", "instance", Failed, "the instance", "nothing to validate");
}
