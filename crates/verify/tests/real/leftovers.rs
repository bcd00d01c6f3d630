//! What belonged to the life of the source, and an order that belonged to its libraries.

use holdfast_core::validation::CheckResult::*;
use holdfast_local_postgres::{Binaries, StopMode};
use holdfast_verify::Options;

use crate::server::{Server, only};

const ALIVE: &[(&str, &str)] =
    &[("max_logical_replication_workers", "0"), ("max_prepared_transactions", "4"), ("wal_level", "logical")];

#[tokio::test]
async fn leftovers_are_named() {
    for binaries in Binaries::majors().await.unwrap() {
        if !["12", "14", "18"].contains(&binaries.major_version()) {
            continue;
        }
        let mut server = Server::with(binaries, ALIVE).await;
        let schema = "CREATE TABLE t (n int); CREATE UNLOGGED TABLE \"cache; of\" (n int); CREATE UNLOGGED TABLE kept (n int);
            INSERT INTO \"cache; of\" VALUES (1)";
        server.database("shop", schema).await;
        let seen = server.verify_with(&only(&["leftovers"])).await;
        assert_eq!(seen.check("leftovers", "instance").result, Passed, "{:#?}", seen.outcome.checks);
        assert!(seen.not_checked("leftovers", "public.\"cache; of\"").is_none());
        let slots = "SELECT pg_create_physical_replication_slot('old_replica', true),
            pg_create_physical_replication_slot('unused'), pg_create_logical_replication_slot('to_the_lake', 'pgoutput')";
        server.sql("shop", slots).await;
        for statement in ["BEGIN", "INSERT INTO t VALUES (1)", "PREPARE TRANSACTION 'it''s; odd'"].chunks(3) {
            server.connect("shop").await.batch_execute(&statement.join(";")).await.unwrap();
        }
        // As a snapshot takes it: without a shutdown.
        server.cluster.stop(StopMode::Immediate).await.unwrap();
        server.cluster.start().await.unwrap();
        server.sql("shop", "INSERT INTO kept VALUES (1)").await;

        let seen = server.verify_with(&only(&["leftovers"])).await;
        let named = [
            ("physical replication slot old_replica", "keeps WAL for nobody"),
            ("logical replication slot to_the_lake", "keeps WAL for nobody"),
        ];
        for (object, message) in named {
            seen.expect("leftovers", "instance", Failed, object, message);
        }
        assert_eq!(seen.check("leftovers", "instance").findings.len(), 2);
        let reason = seen.reason("leftovers", "instance");
        assert!(reason.contains("slot unused keeps no WAL"), "{reason}");
        // Prepared just before the snapshot: somebody's work in hand, and not looked at.
        let gid = "prepared transaction 'it''s; odd'";
        assert!(reason.contains(&format!("{gid} was under way: prepared in shop at 20")), "{reason}");
        assert!(seen.not_checked("leftovers", gid).unwrap().contains("what it changed in shop"));

        let emptied = seen.not_checked("leftovers", "public.\"cache; of\"").unwrap();
        assert!(emptied.contains("unlogged and empty"), "{emptied}");
        assert!(seen.not_checked("leftovers", "public.kept").is_none());
        assert_eq!(seen.check("leftovers", "shop").result, Passed);
        assert!(seen.reason("leftovers", "shop").contains("1 unlogged table found empty"));

        // An hour later it was forgotten.
        let later = server.value("shop", "SELECT to_char(now() AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')").await;
        let seen = server.verify_with(&Options { snapshot_time: Some(later), ..only(&["leftovers"]) }).await;
        seen.expect("leftovers", "instance", Failed, gid, "it holds its locks");
        assert!(seen.not_checked("leftovers", gid).is_none());

        let seen = server.verify_with(&only(&[])).await;
        assert!(seen.outcome.checks.iter().all(|check| check.name != "leftovers"));
        assert!(
            seen.outcome
                .not_checked
                .iter()
                .any(|entry| entry.check == "leftovers" && entry.scope == "instance")
        );
    }
}

/// Text that is ordered by collations with a version, in everything that stores an order.
const ORDERED: &str = "
    CREATE COLLATION german (provider = icu, locale = 'de');
    CREATE COLLATION inside (provider = icu, locale = 'sv');
    CREATE COLLATION checked (provider = icu, locale = 'da');
    CREATE COLLATION parted (provider = icu, locale = 'fr');
    CREATE COLLATION unordered (provider = icu, locale = 'es');
    CREATE COLLATION untouched (provider = icu, locale = 'it');
    CREATE TABLE names (name text COLLATE german, plain text, other text COLLATE unordered,
        CONSTRAINT before_z CHECK (plain COLLATE checked < 'z' COLLATE checked));
    CREATE INDEX \"by; name\" ON names (name);
    CREATE INDEX by_inside ON names ((plain COLLATE inside || '')) ;
    CREATE INDEX by_plain ON names (plain);
    CREATE INDEX by_untouched ON names (plain COLLATE untouched);
    CREATE TABLE letters (l text COLLATE parted) PARTITION BY RANGE (l);
    CREATE TABLE letters_a PARTITION OF letters FOR VALUES FROM ('a') TO ('m')";

#[tokio::test]
async fn a_changed_collation_is_named_with_what_depends_on_it() {
    for binaries in Binaries::majors().await.unwrap() {
        let major: u32 = binaries.major_version().parse().unwrap();
        if ![12, 14, 15, 18].contains(&major) {
            continue;
        }
        let server = Server::of(binaries).await;
        let icu = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' TEMPLATE template0";
        let create = format!("CREATE DATABASE shop {}", if major >= 15 { icu } else { "" });
        server.sql("postgres", &create).await;
        server.sql("shop", ORDERED).await;
        let seen = server.verify_with(&only(&["collations"])).await;
        assert_eq!(seen.check("collations", "shop").result, Passed, "{:#?}", seen.outcome.checks);

        let old = "UPDATE pg_collation SET collversion = '1.2' WHERE collname IN ('german', 'inside', 'checked', 'parted', 'unordered')";
        server.sql("shop", old).await;
        if major >= 15 {
            server.sql("shop", "UPDATE pg_database SET datcollversion = '3.4' WHERE datname = 'shop'").await;
        }
        let seen = server.verify_with(&only(&["collations"])).await;
        let version = "recorded as version 1.2, and the library has 1";
        for (collation, object) in [
            ("german", "may be out of order: index public.\"by; name\""),
            ("inside", "may be out of order: index public.by_inside"),
            ("checked", "may be out of order: constraint before_z on public.names"),
            ("parted", "may be out of order: partitions of public.letters"),
        ] {
            let name = format!("collation public.{collation}");
            seen.expect("collations", "shop", Failed, &name, version);
            seen.expect("collations", "shop", Failed, &name, object);
        }
        let of_database = usize::from(major >= 15);
        if major >= 15 {
            let message = "recorded as version 3.4, and the library has 1";
            seen.expect("collations", "shop", Failed, "default collation of shop", message);
            seen.expect("collations", "shop", Failed, "default collation of shop", "index public.by_plain");
        }
        assert_eq!(seen.check("collations", "shop").findings.len(), 4 + of_database);
        let reason = seen.reason("collations", "shop");
        assert!(reason.contains("collation public.unordered: recorded as version 1.2"), "{reason}");
        // The locale of the other database is C.UTF-8, which has no version.
        assert_eq!(seen.check("collations", "postgres").result, Passed);
    }
}
