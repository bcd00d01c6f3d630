//! The catalog: every change to every kind of object is named, and nothing else is a difference.

use std::collections::BTreeMap;
use std::process::Stdio;

use holdfast_core::validation::{CheckResult::*, CheckSettings, Coverage, DatabaseManifest, Manifest};
use holdfast_local_postgres::Binaries;
use holdfast_verify::Options;

use crate::catalog_changes::{CHANGES, Change, SINCE};
use crate::server::{PASSWORD, Seen, Server};

/// The password in `catalog.sql`, and in what changes it.
const SECRET: &str = "hunter2";

const SCHEMA: &str = include_str!("catalog.sql");

/// Nothing but the catalog.
fn catalog_only() -> Options {
    let off = Coverage::Off;
    let checks = CheckSettings {
        content: off,
        storage: off,
        indexes: off,
        uniqueness: off,
        foreign_keys: off,
        constraints: off,
        sequences: off,
        collations: off,
        leftovers: off,
        ..CheckSettings::default()
    };
    Options { checks, expect_isolated: false, ..Options::default() }
}

/// What is there.
async fn seen(server: &Server) -> Seen {
    let seen = server.verify_with(&catalog_only()).await;
    assert!(!format!("{:?}", seen.outcome).contains(SECRET), "a secret is in the outcome");
    seen
}

async fn database(server: &Server, name: &str) -> DatabaseManifest {
    seen(server).await.outcome.manifest.databases.remove(name).unwrap()
}

/// What differs from an earlier manifest, objects of `shop` without that name, and the manifest of now.
async fn differences(server: &Server, before: Manifest) -> (Vec<(String, String)>, Manifest) {
    let options = Options { same_as: Some(before), ..catalog_only() };
    let seen = server.verify_with(&options).await;
    assert!(!format!("{:?}", seen.outcome).contains(SECRET), "a secret is in the outcome");
    let check = seen.check("against-manifest", "instance");
    let found = check.findings.iter().filter(|finding| finding.object != "the contents").map(|finding| {
        (finding.object.strip_prefix("shop.").unwrap_or(&finding.object).to_owned(), finding.message.clone())
    });
    (found.collect(), seen.outcome.manifest)
}

/// Makes changes one after the other and holds that each is named, by these words and no others.
async fn each_is_named(server: &Server, changes: impl IntoIterator<Item = &Change>) {
    let mut manifest = seen(server).await.outcome.manifest;
    let mut wrong = Vec::new();
    for (sql, expected) in changes {
        let client = server.connect("shop").await;
        for part in sql.split(";;") {
            if let Err(error) = client.batch_execute(part).await {
                wrong.push(format!("{part}: {error:?}"));
            }
        }
        let (found, now) = differences(server, manifest.clone()).await;
        let found: Vec<(&str, &str)> =
            found.iter().map(|(object, message)| (&**object, &**message)).collect();
        if found != *expected {
            wrong.push(format!("{sql}\n  said {found:#?}\n  not  {expected:#?}"));
        }
        let hash = |manifest: &Manifest| -> BTreeMap<String, String> {
            manifest
                .databases
                .iter()
                .map(|(name, database)| (name.clone(), database.schema_hash.clone()))
                .collect()
        };
        assert_eq!(hash(&manifest) == hash(&now), expected.is_empty(), "{sql}: the hash");
        manifest = now;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_change_to_every_kind_of_object_is_named() {
    let server = Server::start().await;
    server.sql("postgres", "CREATE ROLE reporting").await;
    server.database("shop", SCHEMA).await;
    each_is_named(&server, CHANGES).await;
}

#[tokio::test]
async fn every_major_is_read_and_reads_the_same_to_everybody() {
    for binaries in Binaries::majors().await.unwrap() {
        let major: u32 = binaries.major_version().parse().unwrap();
        let server = Server::of(binaries).await;
        let roles = format!("CREATE ROLE reporting; CREATE ROLE nobody LOGIN PASSWORD '{PASSWORD}'");
        server.sql("postgres", &roles).await;
        server.database("shop", SCHEMA).await;
        let seen = seen(&server).await;
        for database in ["postgres", "shop"] {
            assert_eq!(seen.check("schema", database).result, Passed, "{major}: {:#?}", seen.outcome.checks);
        }
        every_kind_is_there(&seen.outcome.manifest, major);
        let others = server.verify_as("nobody", PASSWORD, &catalog_only()).await;
        for (name, database) in &seen.outcome.manifest.databases {
            let other = &others.outcome.manifest.databases[name];
            assert_eq!(database.objects, other.objects, "{major}: {name} to a role without any right");
            assert_eq!(database.schema_hash, other.schema_hash);
        }
        let changes: Vec<&Change> =
            SINCE.iter().filter(|(since, _)| *since <= major).map(|(_, change)| change).collect();
        each_is_named(&server, changes).await;
    }
}

/// Every kind that `catalog.sql` has; the rest (tablespaces, parameters, settings, labels) is in the changes.
fn every_kind_is_there(manifest: &Manifest, major: u32) {
    for identity in [
        "access method pile",
        "aggregate app.product(double precision)",
        "cast (app.weight AS integer)",
        "collation app.plain",
        "column app.customers.shout",
        "constraint \"lines of; orders\" on app.lines",
        "conversion app.latin",
        "database",
        "default privileges of postgres for functions",
        "domain app.email",
        "enum app.mood",
        "event trigger watcher",
        "extension hstore",
        "foreign table app.remote",
        "foreign-data wrapper nothing",
        "function app.adds(a integer, b integer)",
        "index app.orders_by_total",
        "language mine",
        "materialized view app.totals",
        "operator app.===(app.weight, app.weight)",
        "operator class app.by_weight using btree",
        "operator family app.weights using btree",
        "policy own on app.customers",
        "procedure app.tidy()",
        "publication feed",
        "range type app.span",
        "rule kept on app.parent",
        "schema app",
        "sequence app.orders_id_seq",
        "server nowhere",
        "statistics app.together",
        "subscription taken",
        "table app.orders",
        "text search configuration app.words",
        "text search dictionary app.simple",
        "text search parser app.plain",
        "text search template app.plain",
        "transform for app.weight language plpgsql",
        "trigger touched on app.customers",
        "type app.address",
        "type app.weight",
        "user mapping for reporting on server elsewhere",
        "view app.happy",
    ] {
        assert!(
            manifest.databases["shop"].objects.contains_key(identity),
            "{major}: {identity} is not in the catalog"
        );
    }
    // The extension stands for its members.
    for identity in [
        "cast (app.hstore AS json)",
        "foreign-data wrapper postgres_fdw",
        "function app.akeys(app.hstore)",
        "language plpgsql",
        "operator app.@>(app.hstore, app.hstore)",
        "operator class app.gist_hstore_ops using gist",
        "operator family app.gist_hstore_ops using gist",
        "type app.hstore",
        "type app.ghstore",
    ] {
        assert!(!manifest.databases["shop"].objects.contains_key(identity), "{major}: {identity}");
    }
    assert!(manifest.databases["postgres"].objects.contains_key("role reporting"));
    assert!(!manifest.databases["shop"].objects.keys().any(|identity| identity.starts_with("role ")));
}

/// The same schema by another way: other OIDs, another order, detours.
const DETOUR: &str = "
    CREATE TABLE app.junk (id serial PRIMARY KEY, a text); DROP TABLE app.junk;
    DROP VIEW app.happy; DROP INDEX app.customers_by_name, app.orders_by_total; DROP STATISTICS app.together;
    ALTER TABLE app.customers DROP note, DROP home;
    ALTER TABLE app.customers ADD home app.address; ALTER TABLE app.customers ADD note text;
    ALTER TABLE app.lines DROP CONSTRAINT \"lines of; orders\";
    ALTER TABLE app.orders DETACH PARTITION app.orders_2025;
    ALTER TABLE app.orders_2025 DROP CONSTRAINT ordered_by;
    ALTER TABLE app.orders ATTACH PARTITION app.orders_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
    ALTER TABLE app.lines ADD CONSTRAINT \"lines of; orders\" FOREIGN KEY (\"order\", placed) REFERENCES app.orders;
    CREATE VIEW app.happy AS SELECT c.id, c.name FROM app.customers c CROSS JOIN app.parent WHERE c.mood = 'ok';
    CREATE STATISTICS app.together ON id, name FROM app.customers;
    CREATE INDEX customers_by_name ON app.customers (lower(name)) WHERE note IS NULL;
    CREATE INDEX orders_by_total ON app.orders (total);
    CREATE TYPE app.other AS ENUM ('ok'); ALTER TYPE app.other ADD VALUE 'sad' BEFORE 'ok';
    ALTER TABLE app.customers ALTER mood DROP DEFAULT;
    DROP FUNCTION app.mood_of(app.customers); DROP VIEW app.happy;
    ALTER TABLE app.customers ALTER mood TYPE app.other USING mood::text::app.other;
    DROP TYPE app.mood; ALTER TYPE app.other RENAME TO mood;
    ALTER TABLE app.customers ALTER mood SET DEFAULT 'ok';
    CREATE VIEW app.happy AS SELECT c.id, c.name FROM app.customers c CROSS JOIN app.parent WHERE c.mood = 'ok';
    CREATE FUNCTION app.mood_of(app.customers) RETURNS app.mood LANGUAGE sql STABLE AS 'SELECT ($1).mood';
    GRANT EXECUTE ON FUNCTION app.mood_of TO PUBLIC;
    REVOKE SELECT ON app.happy FROM reporting;
    REVOKE ALL ON app.customers FROM reporting; GRANT INSERT ON app.customers TO pg_monitor;
    GRANT SELECT ON app.customers TO reporting; REVOKE INSERT ON app.customers FROM pg_monitor;
    GRANT SELECT ON app.parent TO reporting; REVOKE SELECT ON app.parent FROM reporting;
    REVOKE EXECUTE ON FUNCTION app.touch() FROM PUBLIC; GRANT EXECUTE ON FUNCTION app.touch() TO PUBLIC;
    GRANT SELECT (a) ON app.parent TO reporting; REVOKE SELECT (a) ON app.parent FROM reporting;
    REVOKE EXECUTE ON FUNCTION pg_sleep FROM PUBLIC; GRANT EXECUTE ON FUNCTION pg_sleep TO PUBLIC;
    ALTER TABLE app.customers SET (fillfactor = 50); ALTER TABLE app.customers RESET (fillfactor);
    COMMENT ON TABLE app.parent IS 'x'; COMMENT ON TABLE app.parent IS NULL;
    INSERT INTO app.customers (name) VALUES ('somebody'); ANALYZE app.customers;
    SELECT nextval('app.countdown')";

#[tokio::test]
async fn the_same_schema_has_the_same_hash_whatever_its_oids() {
    let server = Server::start().await;
    server.sql("postgres", "CREATE ROLE reporting").await;
    server.database("shop", SCHEMA).await;
    server.database("detour", SCHEMA).await;
    server.sql("detour", DETOUR).await;
    assert_same(&database(&server, "shop").await, &database(&server, "detour").await);

    // A dump always has the newest version of an extension.
    server.sql("shop", "ALTER EXTENSION hstore UPDATE").await;
    server.sql("postgres", "CREATE DATABASE restored").await;
    let dump = program(&server, "pg_dump", &["shop"]).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), dump).unwrap();
    let file = file.path().to_str().unwrap();
    program(
        &server,
        "psql",
        &["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", file, "restored"],
    )
    .await;
    assert_same(&database(&server, "shop").await, &database(&server, "restored").await);
}

#[track_caller]
fn assert_same(one: &DatabaseManifest, other: &DatabaseManifest) {
    for (identity, object) in &one.objects {
        let other = other.objects.get(identity).unwrap_or_else(|| panic!("{identity} is not in the other"));
        assert_eq!(object.definition, other.definition, "{identity}");
    }
    assert_eq!(one.schema_hash, other.schema_hash);
}

/// What a program of PostgreSQL writes to its standard output.
async fn program(server: &Server, name: &str, arguments: &[&str]) -> Vec<u8> {
    let output = tokio::process::Command::new(Binaries::find().await.unwrap().program(name))
        .args(arguments)
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", server.cluster.port().to_string())
        .env("PGUSER", "postgres")
        .env("PGPASSWORD", PASSWORD)
        .env("PGSSLMODE", "require")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[tokio::test]
async fn one_broken_object_hides_no_other() {
    let server = Server::start().await;
    let sql = "CREATE FUNCTION f(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
        CREATE TABLE t (a int DEFAULT f(1), b int DEFAULT 2); CREATE TABLE u (a int);
        CREATE VIEW good AS SELECT a FROM t; CREATE VIEW bad AS SELECT f(a) FROM t; CREATE VIEW fine AS SELECT a FROM u;
        CREATE INDEX i ON u (f(a)); CREATE FUNCTION g(u) RETURNS int LANGUAGE sql AS 'SELECT 1'";
    server.database("shop", sql).await;
    let before = seen(&server).await.outcome.manifest;
    server.sql("shop", "DELETE FROM pg_proc WHERE oid = 'f(int)'::regprocedure").await;
    let options = Options { same_as: Some(before.clone()), ..catalog_only() };
    let now = server.verify_with(&options).await;
    let broken = ["column public.t.a", "index public.i", "view public.bad"];
    for object in broken {
        now.expect("schema", "shop", Failed, object, "could not be read: cache lookup failed for function");
        let object = format!("shop.{object}");
        now.expect(
            "against-manifest",
            "instance",
            Failed,
            &object,
            "could not be read: cache lookup failed for function",
        );
    }
    assert_eq!(now.check("schema", "shop").findings.len(), broken.len());
    now.expect("against-manifest", "instance", Failed, "shop.function public.f(integer)", "is missing");
    assert_eq!(now.check("against-manifest", "instance").findings.len(), broken.len() + 1);
    let (before, now) = (&before.databases["shop"].objects, &now.outcome.manifest.databases["shop"].objects);
    assert_eq!(before.len(), now.len() + 1, "everything else is there");
}

#[tokio::test]
async fn a_locked_object_hides_no_other_and_is_not_called_damaged() {
    let server = Server::start().await;
    server
        .database(
            "shop",
            "CREATE TABLE t (a int); CREATE VIEW v AS SELECT a FROM t; CREATE VIEW w AS SELECT 1 AS a",
        )
        .await;
    let client = server.connect("shop").await;
    client.batch_execute("BEGIN; LOCK TABLE t").await.unwrap();
    let options = Options { statement_timeout: std::time::Duration::from_millis(500), ..catalog_only() };
    let seen = server.verify_with(&options).await;
    seen.expect("schema", "shop", Errored, "view public.v", "could not be read: canceling statement");
    assert_eq!(seen.check("schema", "shop").findings.len(), 1);
    assert!(seen.outcome.manifest.databases["shop"].objects.contains_key("view public.w"));
    client.batch_execute("COMMIT").await.unwrap();
}

#[tokio::test]
async fn text_that_is_no_utf8_is_told_apart() {
    let server = Server::start().await;
    server
        .sql(
            "postgres",
            "CREATE DATABASE shop TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
        )
        .await;
    let comment = |byte: &str| {
        format!("DO $$ BEGIN EXECUTE format('COMMENT ON TABLE t IS %L', E'gr\\x{byte}n'); END $$")
    };
    server.sql("shop", &format!("CREATE TABLE t (); {}", comment("fc"))).await;
    let before = seen(&server).await;
    assert_eq!(before.check("schema", "shop").result, Passed, "{:#?}", before.outcome.checks);
    server.sql("shop", &comment("fd")).await;
    let (found, _) = differences(&server, before.outcome.manifest).await;
    let said = "comment: gr\u{fffd}fcn → gr\u{fffd}fdn";
    assert_eq!(found, [("table public.t".to_owned(), said.to_owned())]);
}
