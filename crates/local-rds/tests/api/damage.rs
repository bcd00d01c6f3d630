//! Each kind of damage, and who sees it on the restored instance.

use aws_sdk_rds::Client;
use serde_json::json;
use tokio_postgres::Client as Session;

use crate::support::{Local, PASSWORD};

const SHOP: &str = "
    create extension amcheck;
    create table customers (id int primary key, name text not null);
    insert into customers select n, 'customer ' || n from generate_series(1, 500) n;
    create table orders (id bigserial primary key, customer int not null references customers,
                         note text not null, paid boolean);
    insert into orders (customer, note) select n % 500 + 1, 'note ' || n from generate_series(1, 5000) n;
    create index orders_note on orders (note);
    create table papers (id int primary key, body text);
    alter table papers alter body set storage external;
    insert into papers select n, repeat('word ', 4000) from generate_series(1, 40) n;
    create table events (what text, at timestamptz default now());
    insert into events select 'event ' || n from generate_series(1, 100) n;
    create function doubled(int) returns int immutable language sql as 'select $1 * 2';
    create table numbers (n int);
    insert into numbers select generate_series(1, 1000);
    create index numbers_doubled on numbers (doubled(n));
    create policy mine on customers using (true);";

/// An instance with a shop in it.
async fn shop(local: &Local, rds: &Client) {
    local.create(rds, "prod-db").await;
    let session = local.connect(rds, "prod-db", PASSWORD, "shop").await.unwrap();
    session.batch_execute(SHOP).await.unwrap();
}

async fn error(session: &Session, sql: &str) -> String {
    let result = session.query(sql, &[]).await;
    result.expect_err(sql).as_db_error().unwrap().message().to_owned()
}

async fn number(session: &Session, sql: &str) -> i64 {
    session.query_one(sql, &[]).await.unwrap().get(0)
}

async fn read_all(session: &Session, table: &str) -> Result<(), String> {
    let read = session.query(&format!("select md5(t::text) from {table} t"), &[]).await;
    read.map(drop).map_err(|cause| cause.as_db_error().unwrap().message().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_change_under_their_checksums() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    shop(&local, &rds).await;
    local.snapshot(&rds, "prod-db", "bytes").await;
    let index = local.damage("bytes", json!({"kind": "flipIndexBytes"})).await.unwrap();
    assert_eq!(index.0, "shop.public.orders_note", "the largest index");
    let toast = local.damage("bytes", json!({"kind": "flipToastBytes", "database": "shop"})).await.unwrap();
    assert_eq!(toast.0, "shop.public.papers");
    local.damage("bytes", json!({"kind": "flipHeapBytes", "relation": "public.orders"})).await.unwrap();

    local.restore(&rds, "bytes", None).await;
    let session = local.connect(&rds, "bytes", PASSWORD, "shop").await.unwrap();
    for (sql, why) in [
        ("select bt_index_check('orders_note')", "invalid page in block"),
        ("select md5(body) from papers", "invalid page in block"),
        ("select count(*) from orders where paid is null", "invalid page in block"),
    ] {
        let said = error(&session, sql).await;
        assert!(said.contains(why), "{sql}: {said}");
    }
    for table in ["customers", "events", "numbers"] {
        read_all(&session, table).await.unwrap();
    }
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_change_with_their_checksums() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    shop(&local, &rds).await;
    let source = local.connect(&rds, "prod-db", PASSWORD, "shop").await.unwrap();
    local.snapshot(&rds, "prod-db", "silent").await;
    for (kind, relation) in [
        ("flipIndexBytes", "public.orders_note"),
        ("flipToastBytes", "public.papers"),
        ("flipHeapBytes", "public.events"),
    ] {
        let order = json!({"kind": kind, "relation": relation, "keepChecksum": true});
        let (damaged, detail) = local.damage("silent", order).await.unwrap();
        assert_eq!(damaged, format!("shop.{relation}"));
        assert!(detail.contains("fit their checksums"), "{detail}");
    }
    local.restore(&rds, "silent", None).await;
    let session = local.connect(&rds, "silent", PASSWORD, "shop").await.unwrap();
    for table in ["orders", "papers", "events"] {
        read_all(&session, table).await.unwrap();
    }
    let index = error(&session, "select bt_index_check('orders_note')").await;
    assert!(index.contains("item order invariant violated"), "{index}");
    session.batch_execute("select bt_index_check('orders_pkey', true)").await.unwrap();
    assert_eq!(
        number(&session, "select count(*) from verify_heapam('papers', check_toast => true)").await,
        0
    );
    for (sql, at_most) in [
        ("select md5(body) from papers order by id", 3),
        ("select md5(what || at::text) from events order by ctid", 3),
        ("select md5(o::text) from orders o order by id", 0),
    ] {
        let (before, after) = (source.query(sql, &[]).await.unwrap(), session.query(sql, &[]).await.unwrap());
        let differing = before.iter().zip(&after).filter(|(a, b)| a.get::<_, &str>(0) != b.get::<_, &str>(0));
        let differing = differing.count();
        assert!(differing <= at_most && (differing > 0) == (at_most > 0), "{sql}: {differing}");
        assert_eq!(before.len(), after.len());
    }
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_change_behind_the_constraints() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    shop(&local, &rds).await;
    local.snapshot(&rds, "prod-db", "rows").await;
    let damage = async |order| local.damage("rows", order).await.unwrap();
    let orphans = damage(json!({"kind": "orphanRows", "rows": 2})).await;
    assert_eq!(orphans.0, "shop.public.orders");
    assert_eq!(orphans.1, "2 rows of customers deleted that orders_customer_fkey refers to");
    assert_eq!(
        damage(json!({"kind": "deleteRows", "relation": "public.events", "rows": 7})).await.1,
        "7 rows deleted"
    );
    damage(json!({"kind": "addRow", "relation": "public.customers"})).await;
    let changed = damage(json!({"kind": "changeRows", "relation": "public.customers", "rows": 3})).await;
    assert_eq!(changed.1, "name of 3 rows changed");
    let changed = json!({"kind": "changeRows", "relation": "public.orders", "column": "note", "rows": 1});
    assert_eq!(damage(changed).await.1, "note of 1 rows changed");
    assert_eq!(
        damage(json!({"kind": "addRow", "relation": "public.numbers", "rows": 2})).await.1,
        "2 rows added"
    );
    damage(json!({"kind": "setSequenceBack"})).await;
    for refused in [
        json!({"kind": "deleteRows", "relation": "public.nothing"}),
        json!({"kind": "changeRows", "relation": "public.orders", "column": "paid"}),
        json!({"kind": "runSql", "database": "shop", "sql": "select 1 / 0"}),
    ] {
        let why = local.damage("rows", refused.clone()).await.expect_err(&refused.to_string());
        assert!(
            why.contains("division by zero")
                || why.contains("nothing to damage")
                || why.contains("no row suits"),
            "{why}"
        );
    }

    local.restore(&rds, "rows", None).await;
    let session = local.connect(&rds, "rows", PASSWORD, "shop").await.unwrap();
    let orphans =
        "select count(*) from orders o left join customers c on c.id = o.customer where c.id is null";
    assert_eq!(number(&session, orphans).await, 20);
    let valid = "select count(*) from pg_constraint where contype = 'f' and convalidated";
    assert_eq!(number(&session, valid).await, 1);
    for (table, rows) in
        [("customers", 499), ("events", 93), ("numbers", 1002), ("orders", 5000), ("papers", 40)]
    {
        assert_eq!(number(&session, &format!("select count(*) from {table}")).await, rows, "{table}");
    }
    assert_eq!(number(&session, "select count(*) from customers where name like '~%'").await, 3);
    assert_eq!(number(&session, "select count(distinct n) from numbers").await, 1000);
    assert!(
        error(&session, "insert into orders (customer, note) values (9, '')").await.contains("duplicate key")
    );
    for index in ["orders_pkey", "orders_note", "customers_pkey", "papers_pkey"] {
        session.query(&format!("select bt_index_check('{index}', true)"), &[]).await.unwrap();
    }
    local.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_collations_and_the_schema_change() {
    let local = Local::start().await;
    let rds = local.client("us-east-1");
    shop(&local, &rds).await;
    let source = local.connect(&rds, "prod-db", PASSWORD, "shop").await.unwrap();
    let sum = "select md5(string_agg(o::text, ',' order by id)) from orders o";
    let before: String = source.query_one(sum, &[]).await.unwrap().get(0);
    let fault = |sql: &str| {
        local.fault(json!({"action": "CreateDBSnapshot", "resource": "schema", "times": 1,
            "effect": {"type": "damage", "kind": "runSql", "database": "shop", "sql": sql}}));
    };
    fault("drop policy mine on customers; alter table events alter what type varchar(99)");
    fault("create or replace function doubled(int) returns int immutable language sql as 'select $1 * 3'");
    assert_eq!(local.snapshot(&rds, "prod-db", "schema").await, "available");
    let entries = local.damage("schema", json!({"kind": "removeIndexEntries"})).await.unwrap();
    assert_eq!(entries, ("shop.public.orders_note".into(), "3 rows of orders are not in it".into()));
    let collations =
        local.damage("schema", json!({"kind": "changeCollationVersion", "database": "shop"})).await;
    assert_eq!(collations.unwrap().0, "shop");

    local.restore(&rds, "schema", None).await;
    let session = local.connect(&rds, "schema", PASSWORD, "shop").await.unwrap();
    assert_eq!(number(&session, "select count(*) from pg_policy").await, 0);
    let kind = "select count(*) from pg_attribute where attrelid = 'events'::regclass and atttypmod = 103";
    assert_eq!(number(&session, kind).await, 1);
    for index in ["numbers_doubled", "orders_note"] {
        session.query(&format!("select bt_index_check('{index}')"), &[]).await.unwrap();
        let said = error(&session, &format!("select bt_index_check('{index}', true)")).await;
        assert!(said.contains("lacks matching index tuple"), "{index}: {said}");
    }
    session.query("select bt_index_check('orders_pkey', true)", &[]).await.unwrap();
    let after: String = session.query_one(sum, &[]).await.unwrap().get(0);
    assert_eq!(before, after, "the rows are what they were");
    let mismatched =
        "select count(*) from pg_collation where collversion <> pg_collation_actual_version(oid)";
    assert!(number(&session, mismatched).await > 0);
    local.stop().await;
}
