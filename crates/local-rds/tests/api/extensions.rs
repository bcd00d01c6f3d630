//! What the master user may do on RDS and no plain user on PostgreSQL: extensions, and roles.

use crate::support::{Local, PASSWORD};

#[tokio::test(flavor = "multi_thread")]
async fn the_master_user_has_what_rds_superuser_has() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    local.create(&rds, "prod-db").await;
    local.fill(&rds, "prod-db").await;
    let session = local.connect(&rds, "prod-db", PASSWORD, "shop").await.unwrap();
    for extension in ["amcheck", "pg_prewarm", "pg_visibility", "pg_trgm", "pg_stat_statements"] {
        session.batch_execute(&format!("create extension {extension}")).await.unwrap();
    }
    session
        .batch_execute(
            "select bt_index_check('orders_pkey', true), bt_index_parent_check('orders_pkey', true, true)",
        )
        .await
        .unwrap();
    let row = session
        .query_one(
            "select (select count(*) from verify_heapam('orders')), pg_prewarm('orders'),
                    (select count(*) from pg_check_visible('orders'))",
            &[],
        )
        .await
        .unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(2)), (0, 0));
    assert!(row.get::<_, i64>(1) > 10, "that many pages were read");

    let refused = session.batch_execute("create extension file_fdw").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501", "nobody has this one on RDS");
    other_users_have_not(&local, &rds, &session).await;

    let roles: Vec<String> = session
        .query(
            "select rolname::text from pg_roles where pg_has_role(current_user, oid, 'usage')
                and (rolname like 'pg\\_%' or rolname like 'rds\\_%')",
            &[],
        )
        .await
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    for role in ["rds_superuser", "rds_replication", "rds_password", "pg_monitor", "pg_signal_backend"] {
        assert!(roles.iter().any(|has| has == role), "{role}: {roles:?}");
    }
    for role in ["pg_read_server_files", "pg_execute_server_program"] {
        assert!(!roles.iter().any(|has| has == role), "{role}: {roles:?}");
    }
    extensions_survive_a_restore(&local, &rds).await;
    local.stop().await;
}

async fn other_users_have_not(local: &Local, rds: &aws_sdk_rds::Client, master: &tokio_postgres::Client) {
    master.batch_execute("create role reader; grant reader to owner").await.unwrap();
    let session = local.connect(rds, "prod-db", PASSWORD, "shop").await.unwrap();
    session.batch_execute("set role reader").await.unwrap();
    let refused = session.batch_execute("select bt_index_check('orders_pkey')").await.unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501", "{refused:?}");
}

async fn extensions_survive_a_restore(local: &Local, rds: &aws_sdk_rds::Client) {
    assert_eq!(local.snapshot(rds, "prod-db", "copy").await, "available");
    local.restore(rds, "copy", None).await;
    let session = local.connect(rds, "copy", PASSWORD, "shop").await.unwrap();
    session.batch_execute("select bt_index_check('orders_pkey', true)").await.unwrap();
    session.batch_execute("create extension pgstattuple; select pgstattuple('orders')").await.unwrap();
}
