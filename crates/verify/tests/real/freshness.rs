//! How new the data is, by what it says itself.

use holdfast_core::validation::{Check, CheckResult::*, CheckSettings, Freshness, FreshnessColumn};
use holdfast_local_postgres::Binaries;
use holdfast_verify::Options;

use crate::server::{Seen, Server, only};

const SNAPSHOT: &str = "2026-05-01T12:00:00Z";

const SCHEMA: &str = "
    CREATE DOMAIN moment AS timestamptz;
    CREATE SCHEMA \"My Schema\";
    CREATE TABLE \"My Schema\".\"Heart. Beat\" (\"At\" moment, day date, local timestamp, word text);
    INSERT INTO \"My Schema\".\"Heart. Beat\" VALUES
        ('2026-05-01 11:30+00', '2026-05-01', '2026-05-01 08:48', '2026-05-01'),
        ('infinity', 'infinity', '294276-01-01', ''), ('0044-03-15 BC', '0044-03-15 BC', '9999-12-31', ''),
        (NULL, NULL, NULL, NULL);
    CREATE TABLE events (at timestamptz NOT NULL, n int) PARTITION BY RANGE (at);
    CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-04-01');
    CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-04-01') TO ('2027-01-01');
    INSERT INTO events SELECT '2026-01-01'::timestamptz + n * interval '1 hour', n FROM generate_series(0, 2891) AS n;
    CREATE INDEX ON events (at);
    CREATE VIEW seen AS SELECT at FROM events;
    CREATE TABLE empty (at date)";

fn column(table: &str, column: &str) -> FreshnessColumn {
    FreshnessColumn { database: "shop".into(), table: table.into(), column: column.into() }
}

fn options(columns: Vec<FreshnessColumn>, max_age_minutes: f64) -> Options {
    let freshness = Freshness { columns, heartbeat: None, max_age_minutes };
    Options {
        checks: CheckSettings { freshness: Some(freshness), ..only(&[]).checks },
        snapshot_time: Some(SNAPSHOT.into()),
        ..Options::default()
    }
}

async fn ask(server: &Server, table: &str, name: &str, minutes: f64) -> Seen {
    server.verify_with(&options(vec![column(table, name)], minutes)).await
}

fn freshness(seen: &Seen) -> &Check {
    seen.check("freshness", "instance")
}

#[tokio::test]
async fn the_newest_time_is_found_and_judged() {
    for binaries in Binaries::majors().await.unwrap() {
        if !["12", "14", "18"].contains(&binaries.major_version()) {
            continue;
        }
        let server = Server::of(binaries).await;
        server.database("shop", SCHEMA).await;
        // No other clock has a say.
        server.sql("shop", "ALTER DATABASE shop SET TimeZone = 'Asia/Tokyo'").await;
        let beat = "\"My Schema\".\"Heart. Beat\"";
        for (table, name, age) in [
            (beat, "At", "30 min before"),
            ("My Schema.Heart. Beat", "\"At\"", "30 min before"),
            (beat, "day", "12 h 0 min before"),
            (beat, "LOCAL", "3 h 12 min before"),
            ("Public.EVENTS", "AT", "1 h 0 min before"),
        ] {
            let seen = ask(&server, table, name, 6000.0).await;
            assert_eq!(freshness(&seen).result, Passed, "{table} {name}: {:#?}", freshness(&seen));
            let reason = freshness(&seen).reason.as_deref().unwrap();
            assert!(
                reason.contains(&format!("the newest time in the data is {age} the snapshot")),
                "{reason}"
            );
            // What is no time, or no time yet, is counted and left out.
            assert_eq!(reason.contains("not counted"), table != "Public.EVENTS", "{reason}");
        }
        let seen = ask(&server, beat, "local", 60.0).await;
        let old = "the newest time in the data is 3 h 12 min before the snapshot; at most 60 min are allowed";
        seen.expect("freshness", "instance", Failed, "the data", old);

        // The newest of all counts, in ranges of a page as well.
        let mut both = options(vec![column(beat, "local"), column("public.events", "at")], 90.0);
        both.chunk_bytes = 8192;
        assert_eq!(freshness(&server.verify_with(&both).await).result, Passed);
    }
}

#[tokio::test]
async fn what_shows_no_time_is_never_fresh() {
    let server = Server::start().await;
    server.database("shop", SCHEMA).await;
    let seen = ask(&server, "public.empty", "at", 60.0).await;
    seen.expect("freshness", "instance", Failed, "the data", "no row shows a time");
    let seen = ask(&server, "public.gone", "at", 60.0).await;
    seen.expect("freshness", "instance", Failed, "public.gone.at", "the table that should show");
    let seen = ask(&server, "public.\"events", "at", 60.0).await;
    seen.expect("freshness", "instance", Failed, "public.\"events.at", "the table that should show");
    let seen = ask(&server, "public.events", "'; DROP TABLE events; --", 60.0).await;
    seen.expect(
        "freshness",
        "instance",
        Failed,
        "public.events.'; DROP TABLE events; --",
        "the column that should",
    );
    let seen = ask(&server, "My Schema.Heart. Beat", "word", 60.0).await;
    seen.expect("freshness", "instance", Errored, "My Schema.Heart. Beat.word", "is of type text");
    let seen = ask(&server, "public.seen", "at", 60.0).await;
    seen.expect("freshness", "instance", Errored, "public.seen.at", "is no table");

    let elsewhere = FreshnessColumn { database: "archive".into(), ..column("public.events", "at") };
    let seen = server.verify_with(&options(vec![elsewhere], 6000.0)).await;
    seen.expect("freshness", "instance", Failed, "archive", "is not there");

    // A database that lets nobody in says nothing of its age.
    server
        .sql(
            "postgres",
            "CREATE ROLE reader LOGIN PASSWORD 'reader'; REVOKE CONNECT ON DATABASE shop FROM PUBLIC",
        )
        .await;
    let asked = options(vec![column("public.events", "at")], 6000.0);
    let seen = server.verify_as("reader", "reader", &asked).await;
    seen.expect("freshness", "instance", Errored, "shop", "could not be asked");
    // A table that this user may not read, neither.
    server.sql("postgres", "GRANT CONNECT ON DATABASE shop TO reader").await;
    let seen = server.verify_as("reader", "reader", &asked).await;
    seen.expect("freshness", "instance", Errored, "public.events_1.at", "permission denied");
}
