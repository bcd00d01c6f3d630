//! A fingerprint is equal when the rows are, and differs when a bit of them does: type by type, on every major version.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_core::validation::{CheckSettings, Coverage, Digest};
use holdfast_local_postgres::Binaries;
use holdfast_verify::Options;

use crate::server::{Seen, Server};

/// What has to be there before the pairs.
const TYPES: &str = "
    CREATE TYPE mood AS ENUM ('happy', 'sad', 'sad ');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN digits AS numeric(10, 4) CHECK (VALUE >= 0);
    CREATE DOMAIN moods AS mood;
    CREATE TYPE floats AS RANGE (subtype = float8);
    CREATE EXTENSION citext; CREATE EXTENSION hstore;";

/// Two values of a type that are different, however equal some operator or hash function of PostgreSQL's calls them.
const PAIRS: &[(&str, &str, &str)] = &[
    ("bool", "true", "false"),
    ("int2", "1", "-1"),
    ("int4", "2147483647", "-2147483648"),
    // Both fold to the same 32 bits.
    ("int8", "4294967301", "4"),
    ("int8", "0", "-1"),
    ("oid", "1", "4294967295"),
    ("float4", "'0'", "'-0'"),
    ("float8", "'0'", "'-0'"),
    ("float8", "0.1", "0.10000000000000002"),
    ("float8", "'NaN'", "'Infinity'"),
    ("numeric", "1.0", "1.00"),
    ("numeric", "5", "-5"),
    ("numeric", "'NaN'", "0"),
    ("numeric(10,4)", "0.0001", "0.0002"),
    ("money", "1.00", "1.01"),
    ("text", "''", "' '"),
    ("text", "'a'", "'A'"),
    // Composed and decomposed: the same to a reader.
    ("text", "U&'\\00e9'", "U&'e\\0301'"),
    ("text COLLATE insensitive", "'a'", "'A'"),
    ("varchar(10) COLLATE insensitive", "'a'", "'A'"),
    ("bpchar", "'a'", "'a '"),
    ("char(5)", "'a'", "'b'"),
    ("\"char\"", "'a'", "'b'"),
    ("name", "'a'", "'b'"),
    ("bytea", "'\\x00'", "'\\x0000'"),
    ("bytea", "''", "'\\x00'"),
    ("bit(8)", "B'00000000'", "B'00000001'"),
    ("varbit", "B'0'", "B'00'"),
    ("uuid", "'00000000-0000-0000-0000-000000000000'", "'00000000-0000-0000-0000-000000000001'"),
    ("date", "'2026-01-01'", "'infinity'"),
    ("time", "'00:00'", "'24:00'"),
    // The same instant of a day.
    ("timetz", "'12:00+00'", "'13:00+01'"),
    // Both fold to the same 32 bits.
    ("timestamp", "'2000-01-01 01:11:34.967301'", "'2000-01-01 00:00:00.000004'"),
    ("timestamptz", "'2000-01-01 01:11:34.967301+00'", "'2000-01-01 00:00:00.000004+00'"),
    ("timestamptz", "'infinity'", "'-infinity'"),
    ("interval", "'1 mon'", "'30 days'"),
    ("interval", "'1 day'", "'24 hours'"),
    ("json", "'{\"a\": 1}'", "'{\"a\":1}'"),
    ("json", "'{\"a\":1,\"a\":2}'", "'{\"a\":2}'"),
    ("jsonb", "'1.0'", "'1.00'"),
    ("jsonb", "'{\"a\": [1, null]}'", "'{\"a\": [1]}'"),
    ("jsonb", "'null'", "'{}'"),
    ("xml", "'<a/>'", "'<a></a>'"),
    ("point", "'(0,0)'", "'(-0,0)'"),
    ("line", "'{1,2,3}'", "'{2,4,6}'"),
    ("lseg", "'[(0,0),(1,1)]'", "'[(1,1),(0,0)]'"),
    ("box", "'(1,1),(0,0)'", "'(2,1),(0,0)'"),
    ("path", "'[(0,0),(1,1)]'", "'((0,0),(1,1))'"),
    ("polygon", "'((0,0),(1,1))'", "'((0,0),(1,2))'"),
    ("circle", "'<(0,0),1>'", "'<(0,0),2>'"),
    ("inet", "'10.0.0.1'", "'10.0.0.1/24'"),
    ("cidr", "'10.0.0.0/8'", "'10.0.0.0/9'"),
    ("macaddr", "'08:00:2b:01:02:03'", "'08:00:2b:01:02:04'"),
    ("macaddr8", "'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'"),
    ("tsvector", "'a:1 b:2'", "'a:1 b:3'"),
    ("tsquery", "'a & b'", "'a | b'"),
    ("pg_lsn", "'0/1'", "'1/0'"),
    ("int4range", "'[1,2)'", "'empty'"),
    ("numrange", "'[1.0,2]'", "'[1.00,2]'"),
    ("numrange", "'[1,2]'", "'[1,2)'"),
    ("tstzrange", "'[2026-01-01+00,)'", "'[2026-01-01+00,infinity)'"),
    ("floats", "'[0,1]'", "'[-0,1]'"),
    ("int4[]", "'{1,2}'", "'[0:1]={1,2}'"),
    ("int4[]", "'{1,2,3,4}'", "'{{1,2},{3,4}}'"),
    ("int4[]", "'{}'", "'{NULL}'"),
    ("numeric[]", "'{1.0}'", "'{1.00}'"),
    ("text[]", "'{a,\"b,c\"}'", "'{a,b,c}'"),
    ("timestamptz[]", "'{2026-01-01 00:00+00}'", "'{2026-01-01 01:00+00}'"),
    ("mood", "'sad'", "'sad '"),
    ("mood[]", "'{happy,sad}'", "'{sad,happy}'"),
    ("moods", "'happy'", "'sad'"),
    ("pair", "NULL", "'(,)'"),
    ("pair", "'(1,)'", "'(1,\"\")'"),
    ("pair[]", "'{\"(1,a)\"}'", "'{\"(1,b)\"}'"),
    ("digits", "1", "1.0001"),
    ("digits[]", "'{1}'", "'{1.0001}'"),
    ("citext", "'a'", "'A'"),
    ("hstore", "'a=>1'", "'a=>NULL'"),
    ("regclass", "'pg_catalog.pg_class'", "'pg_catalog.pg_type'"),
    ("oidvector", "'1 2'", "'1 3'"),
    ("tid", "'(1,2)'", "'(1,3)'"),
    ("txid_snapshot", "'1:2:'", "'1:3:'"),
];

/// Every type of the pairs, once as NULL and once as a value, must differ too.
fn tables() -> String {
    let mut sql = String::from(TYPES);
    sql.push_str(
        "CREATE COLLATION insensitive (provider = icu, locale = 'und-u-ks-level2', deterministic = false);",
    );
    for (place, (of_type, left, right)) in PAIRS.iter().enumerate() {
        for (side, value) in [("a", left), ("b", right), ("again", left), ("null", &"NULL")] {
            sql.push_str(&format!(
                "CREATE TABLE p{place:03}_{side} (v {of_type}); INSERT INTO p{place:03}_{side} VALUES ({value});\n"
            ));
        }
    }
    sql
}

/// Only the contents are read; the rest is looked at elsewhere.
fn content_only() -> Options {
    let off = Coverage::Off;
    Options {
        checks: CheckSettings {
            schema: off,
            storage: off,
            indexes: off,
            uniqueness: off,
            foreign_keys: off,
            constraints: off,
            sequences: off,
            collations: off,
            leftovers: off,
            ..CheckSettings::default()
        },
        ..Options::default()
    }
}

fn prints(seen: &Seen, database: &str) -> BTreeMap<String, String> {
    seen.check("content", database);
    let tables = &seen.outcome.manifest.databases[database].tables;
    tables.iter().map(|(name, table)| (name.clone(), table.fingerprint.clone())).collect()
}

#[tokio::test]
async fn every_type_tells_its_values_apart() {
    let server = Server::start().await;
    server.database("types", &tables()).await;
    let seen = server.verify_with(&content_only()).await;
    seen.all_passed_but(&[]);
    let prints = prints(&seen, "types");
    let mut missed = Vec::new();
    for (place, (of_type, left, right)) in PAIRS.iter().enumerate() {
        let of = |side: &str| prints[&format!("public.p{place:03}_{side}")].clone();
        assert_eq!(of("a"), of("again"), "{of_type} {left}");
        if of("a") == of("b") || of("b") == of("null") || (*left != "NULL" && of("a") == of("null")) {
            missed.push(format!("{of_type}: {left} and {right}"));
        }
    }
    assert!(missed.is_empty(), "not told apart: {missed:#?}");
}

#[tokio::test]
async fn every_major_version_says_the_same() {
    let majors = Binaries::majors().await.unwrap_or_else(|error| panic!("{error}"));
    let mut known: Option<(String, BTreeMap<String, String>)> = None;
    for binaries in majors {
        let server = Server::of(binaries).await;
        let version = server.value("postgres", "current_setting('server_version')").await;
        server.database("types", &tables()).await;
        let mut options = content_only();
        options.checks.digest = Digest::Cryptographic;
        let seen = server.verify_with(&options).await;
        seen.all_passed_but(&[]);
        let databases = &seen.outcome.manifest.databases;
        assert!(databases.contains_key("types"), "{version}: {:#?}", seen.outcome.checks);
        let tables = &databases["types"].tables;
        let now: BTreeMap<String, String> = tables
            .iter()
            .map(|(name, table)| {
                (name.clone(), format!("{} {}", table.fingerprint, table.digest.as_deref().unwrap()))
            })
            .collect();
        match &known {
            None => known = Some((version, now)),
            Some((first, expected)) => {
                let differ: Vec<&String> =
                    expected.keys().filter(|table| expected.get(*table) != now.get(*table)).collect();
                assert!(differ.is_empty(), "{first} and {version} differ on {differ:?}");
            }
        }
    }
}

#[tokio::test]
async fn every_bit_counts() {
    let server = Server::start().await;
    let mut sql = String::new();
    for bit in 0..64 {
        sql.push_str(&format!("CREATE TABLE i{bit} AS SELECT (1::int8 << {bit}) AS v;"));
        sql.push_str(&format!(
            "CREATE TABLE t{bit} AS SELECT '2000-01-01 UTC'::timestamptz + (1::int8 << {}) * interval '1 us' AS v;",
            bit.min(58)
        ));
    }
    for bit in 0..128 {
        sql.push_str(&format!(
            "CREATE TABLE u{bit} AS SELECT encode(set_bit(decode(repeat('00', 16), 'hex'), {bit}, 1), 'hex')::uuid AS v;
             CREATE TABLE b{bit} AS SELECT set_bit(decode(repeat('00', 16), 'hex'), {bit}, 1) AS v;"
        ));
    }
    server.database("bits", &sql).await;
    let seen = server.verify_with(&content_only()).await;
    seen.all_passed_but(&[]);
    for kind in ["i", "u", "b"] {
        let of_kind: Vec<String> = prints(&seen, "bits")
            .into_iter()
            .filter(|(name, _)| name.starts_with(&format!("public.{kind}")))
            .map(|(_, print)| print)
            .collect();
        let halves = |from: usize| {
            of_kind.iter().map(|print| print[from..from + 16].to_owned()).collect::<BTreeSet<_>>()
        };
        // Both halves on their own: 64 bits each.
        assert_eq!(halves(0).len(), of_kind.len(), "{kind}");
        assert_eq!(halves(16).len(), of_kind.len(), "{kind}");
    }
}

const ROWS: &str = "
    CREATE TABLE t (id int8, name text, mood text, at timestamptz, doc jsonb, price numeric);
    INSERT INTO t SELECT n, 'name ' || n % 97, (ARRAY['happy', 'sad', NULL])[1 + n % 3],
        '2026-01-01 UTC'::timestamptz + n * interval '1 minute', jsonb_build_object('n', n % 11), n / 7.0
      FROM generate_series(1, 20000) AS n;";

#[tokio::test]
async fn pieces_add_up_to_the_whole_in_any_number() {
    let server = Server::start().await;
    server.database("shop", ROWS).await;
    let mut known = None;
    for (chunk_bytes, connections) in [(u64::MAX, 1), (1 << 20, 3), (64 << 10, 2), (8 << 10, 4)] {
        for digest in [Digest::Fast, Digest::Cryptographic] {
            let mut options = Options { chunk_bytes, connections, ..content_only() };
            options.checks.digest = digest;
            let seen = server.verify_with(&options).await;
            seen.all_passed_but(&[]);
            let table = seen.outcome.manifest.databases["shop"].tables["public.t"].clone();
            assert_eq!(table.rows, 20_000);
            assert_eq!(table.digest.is_some(), digest == Digest::Cryptographic);
            let (print, digest) = known.get_or_insert_with(|| (table.fingerprint.clone(), None));
            assert_eq!(*print, table.fingerprint, "{chunk_bytes} {connections}");
            if let Some(now) = table.digest {
                assert_eq!(*digest.get_or_insert_with(|| now.clone()), now);
            }
        }
    }
}

/// Before 14 a server has no TID range scans: pieces are asked for place by place, which no statement of the checks may
/// turn into a walk through the whole table.
#[tokio::test]
async fn pieces_add_up_where_the_server_has_no_range_scans() {
    for binaries in Binaries::majors().await.unwrap() {
        if !["12", "13"].contains(&binaries.major_version()) {
            continue;
        }
        let server = Server::of(binaries).await;
        // Rows as short as they get fill every place of a page; dead ones leave holes; TOAST is far from its row.
        server
            .database(
                "shop",
                "CREATE TABLE t (v text); ALTER TABLE t ALTER v SET STORAGE EXTERNAL; CREATE TABLE bare ();
                 INSERT INTO t SELECT repeat('x', CASE WHEN n % 100 = 0 THEN 3000 ELSE n % 500 END) FROM generate_series(1, 20000) AS n;
                 DELETE FROM t WHERE ctid < '(5,0)' OR length(v) % 7 = 0; UPDATE t SET v = v || 'y' WHERE length(v) % 5 = 0;
                 INSERT INTO bare SELECT FROM generate_series(1, 50000); CREATE TABLE last ()",
            )
            .await;
        let pieces =
            server.verify_with(&Options { chunk_bytes: 8 << 10, connections: 2, ..content_only() }).await;
        pieces.all_passed_but(&[]);
        assert_eq!(pieces.rows("shop", "public.bare"), 50_000);
        // What a session counted arrives when it is gone, in order: once this is there, the rest is.
        let others =
            "SELECT count(*)::text FROM pg_stat_activity WHERE datname = 'shop' AND pid <> pg_backend_pid()";
        server.until("shop", others, "0").await;
        server.sql("shop", "SELECT FROM last").await;
        let walks =
            |table| format!("SELECT (seq_scan > 0)::text FROM pg_stat_user_tables WHERE relname = '{table}'");
        server.until("shop", &walks("last"), "true").await;
        assert_eq!(
            server.value("shop", &walks("bare")).await,
            "false",
            "a piece walked through all of the table"
        );
        let whole = server.verify_with(&Options { chunk_bytes: u64::MAX, ..content_only() }).await;
        assert_eq!(prints(&pieces, "shop"), prints(&whole, "shop"));
        assert_eq!(pieces.rows("shop", "public.t"), whole.rows("shop", "public.t"));
        server.until("shop", &walks("bare"), "true").await;
    }
}

#[tokio::test]
async fn values_that_change_places_are_seen() {
    let server = Server::start().await;
    server
        .database(
            "shop",
            "CREATE TABLE t (id int, a text, b text, m numeric, n numeric);
             INSERT INTO t SELECT n, 'a' || n, 'b' || n, n + 0.5, n + 0.25 FROM generate_series(1, 10) AS n",
        )
        .await;
    let mut seen = BTreeSet::new();
    let print = async || prints(&server.verify_with(&content_only()).await, "shop")["public.t"].clone();
    assert!(seen.insert(print().await));
    for (what, there, back) in [
        // Between rows: a sum over columns would stay the same.
        (
            "a between rows",
            "UPDATE public.t SET a = 'a' || (11 - id) WHERE id IN (3, 8)",
            "UPDATE public.t SET a = 'a' || id",
        ),
        (
            "m between rows",
            "UPDATE public.t SET m = 11 - id + 0.5 WHERE id IN (3, 8)",
            "UPDATE public.t SET m = id + 0.5",
        ),
        // Between columns of one row.
        (
            "a with b",
            "UPDATE public.t SET a = b, b = a WHERE id = 5",
            "UPDATE public.t SET a = b, b = a WHERE id = 5",
        ),
        (
            "m with n",
            "UPDATE public.t SET m = n, n = m WHERE id = 5",
            "UPDATE public.t SET m = n, n = m WHERE id = 5",
        ),
        // A value that becomes NULL while another NULL becomes that value.
        ("NULL", "UPDATE public.t SET a = NULL WHERE id = 1", "UPDATE public.t SET a = 'a1' WHERE id = 1"),
        (
            "two rows for one twice",
            "UPDATE public.t SET id = 2, a = 'a2', b = 'b2', m = 2.5, n = 2.25 WHERE id = 1",
            "SELECT 1",
        ),
    ] {
        server.sql("shop", there).await;
        assert!(seen.insert(print().await), "{what}");
        server.sql("shop", back).await;
    }
}

#[tokio::test]
async fn rows_and_nothing_else_decide() {
    let server = Server::start().await;
    server
        .database(
            "shop",
            &format!("{ROWS} ALTER TABLE t ADD PRIMARY KEY (id); CREATE INDEX by_name ON t (name)"),
        )
        .await;
    let print = async || prints(&server.verify_with(&content_only()).await, "shop")["public.t"].clone();
    let before = print().await;
    for sql in [
        "VACUUM FULL public.t",
        "CLUSTER public.t USING by_name",
        "REINDEX TABLE public.t",
        "UPDATE public.t SET name = name WHERE id % 2 = 0; DELETE FROM public.t WHERE id = 7;
         INSERT INTO public.t SELECT 7, 'name 7', 'sad', '2026-01-01 00:07 UTC', '{\"n\": 7}', 7 / 7.0",
        "ALTER TABLE public.t ALTER name SET STORAGE EXTERNAL; ALTER TABLE public.t SET (toast_tuple_target = 128);
         UPDATE public.t SET doc = doc",
        "BEGIN; DELETE FROM public.t; ROLLBACK",
        "ALTER TABLE public.t ADD COLUMN other text; ALTER TABLE public.t DROP COLUMN other",
        "CREATE TABLE public.copy (price numeric, doc jsonb, at timestamptz, mood text, name text, id int8);
         INSERT INTO public.copy SELECT price, doc, at, mood, name, id FROM public.t ORDER BY id DESC;
         DROP TABLE public.t; ALTER TABLE public.copy RENAME TO t",
    ] {
        server.sql("shop", sql).await;
        assert_eq!(print().await, before, "{sql}");
    }
}

#[tokio::test]
async fn a_value_of_a_hundred_megabytes_stays_on_the_server() {
    let server = Server::start().await;
    server
        .database(
            "wide",
            "CREATE TABLE t (id int, plain text, packed bytea, doc jsonb);
             ALTER TABLE t ALTER plain SET STORAGE EXTERNAL;
             INSERT INTO t SELECT n, repeat('x' || n, 50000000), decode(repeat('ab', 100000000), 'hex'),
                 jsonb_build_object('v', repeat('y', 30000000)) FROM generate_series(1, 2) AS n",
        )
        .await;
    let before = peak_kib();
    for digest in [Digest::Fast, Digest::Cryptographic] {
        let mut options = content_only();
        options.checks.digest = digest;
        let seen = server.verify_with(&options).await;
        seen.all_passed_but(&[]);
        assert_eq!(seen.rows("wide", "public.t"), 2);
    }
    let grown = peak_kib() - before;
    assert!(grown < 64 * 1024, "{grown} KiB for values that never had to travel");
}

/// The most memory this process has had at once.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or_default()
}

#[tokio::test]
async fn large_objects_are_read() {
    let server = Server::start().await;
    server.database("shop", "CREATE TABLE t (); SELECT lo_from_bytea(4242, 'hello'::bytea)").await;
    let print = async || {
        prints(&server.verify_with(&content_only()).await, "shop")["pg_catalog.pg_largeobject"].clone()
    };
    let before = print().await;
    assert_eq!(print().await, before);
    server.sql("shop", "SELECT lo_put(4242, 0, 'j'::bytea)").await;
    assert_ne!(print().await, before);
}

#[tokio::test]
async fn a_piece_that_is_too_slow_is_halved() {
    let server = Server::start().await;
    let big = "CREATE TABLE t AS SELECT n AS id, jsonb_build_object('n', repeat(md5(n::text), 8)) AS doc
        FROM generate_series(1, 150000) AS n";
    server.database("shop", big).await;
    let whole =
        server.verify_with(&Options { chunk_bytes: u64::MAX, connections: 1, ..content_only() }).await;
    whole.all_passed_but(&[]);
    let took = whole.check("content", "shop").duration_ms;
    let timeout = std::time::Duration::from_millis((took / 3).max(20));
    let options =
        Options { chunk_bytes: u64::MAX, connections: 1, statement_timeout: timeout, ..content_only() };
    let halved = server.verify_with(&options).await;
    halved.all_passed_but(&[]);
    assert_eq!(halved.fingerprint("shop", "public.t"), whole.fingerprint("shop", "public.t"));
    assert_eq!(halved.rows("shop", "public.t"), 150_000);
}

#[tokio::test]
async fn a_sample_is_no_fingerprint_and_says_so() {
    let server = Server::start().await;
    server.database("shop", ROWS).await;
    let mut options = content_only();
    options.checks.content = Coverage::SamplePercent(10.0);
    let seen = server.verify_with(&options).await;
    seen.all_passed_but(&[]);
    assert!(seen.outcome.manifest.databases["shop"].tables.is_empty());
    let not_checked = &seen.outcome.not_checked;
    assert!(
        not_checked.iter().any(|entry| entry.check == "content"
            && entry.object.as_deref() == Some("public.t")
            && entry.reason.contains("10 %")),
        "{not_checked:?}"
    );
}
