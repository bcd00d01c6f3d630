//! Damage to rows, by SQL: as valid as any other data, only wrong. Triggers and foreign keys do not fire.

use tokio_postgres::Client;

use super::target::Target;
use crate::engine::{EngineError, said};

/// Places of rows spread evenly over a table, as many as asked for or one in ten, and never so many
/// that fewer than `spare` are left. By position, so that it works on any table.
fn places(table: &str, condition: &str, rows: Option<u32>, spare: u8) -> String {
    let wanted = rows.map_or("(total + 9) / 10".to_owned(), |rows| rows.to_string());
    format!(
        "select t, c from
           (select tableoid as t, ctid as c, row_number() over () as n, count(*) over () as total
              from {table} where {condition}) as numbered,
           lateral (select least({wanted}, total - {spare}) as wanted) as w,
           lateral (select total / greatest(wanted, 1) as step) as s
         where n % step = 0 and n / step <= wanted"
    )
}

async fn quietly(client: &Client) -> Result<(), EngineError> {
    client.batch_execute("set session_replication_role = replica").await.map_err(said("switch triggers off"))
}

/// Runs one statement; that it finds nothing to do is an error, the damage would be a lie.
async fn run(client: &Client, what: &'static str, sql: &str) -> Result<u64, EngineError> {
    quietly(client).await?;
    match client.execute(sql, &[]).await.map_err(said(what))? {
        0 => Err(EngineError::Refused(format!("cannot {what}: no row suits"))),
        rows => Ok(rows),
    }
}

pub(super) async fn delete(target: &Target, rows: Option<u32>) -> Result<String, EngineError> {
    let places = places(&target.name, "true", rows, 1);
    let sql = format!("delete from {} where (tableoid, ctid) in ({places})", target.name);
    Ok(format!("{} rows deleted", run(&target.client, "delete rows", &sql).await?))
}

pub(super) async fn change(
    target: &Target,
    column: Option<&str>,
    rows: Option<u32>,
) -> Result<String, EngineError> {
    let found = target
        .client
        .query_opt(
            "select quote_ident(attname), format_type(atttypid, atttypmod), typname, typcategory::text
               from pg_attribute a join pg_type t on t.oid = a.atttypid
              where attrelid = $1 and attnum > 0 and not attisdropped and attgenerated = ''
                and (typcategory in ('S', 'N', 'B', 'D') or typname in ('uuid', 'json', 'jsonb', 'bytea'))
                and case when $2::text is not null then attname = $2 else
                    not exists (select from pg_index where indrelid = attrelid and indisunique and attnum = any (indkey))
                    and not exists (select from pg_constraint
                                     where conrelid = attrelid and contype = 'f' and attnum = any (conkey)) end
              order by attnum limit 1",
            &[&target.oid, &column],
        )
        .await
        .map_err(said("look for a column"))?;
    let Some(found) = found else {
        return Err(EngineError::Refused(format!("{} has no column that can be changed", target.name)));
    };
    let (name, kind): (String, String) = (found.get(0), found.get(1));
    let value = other_value(&name, found.get(2), found.get(3));
    let places = places(&target.name, &format!("{name} is not null"), rows, 0);
    let sql =
        format!("update {} set {name} = ({value})::{kind} where (tableoid, ctid) in ({places})", target.name);
    let rows = run(&target.client, "change rows", &sql).await?;
    Ok(format!("{name} of {rows} rows changed"))
}

/// An expression for a value that is as long and as large, and another one.
fn other_value(column: &str, kind: &str, category: &str) -> String {
    match (kind, category) {
        ("uuid", _) => format!("md5({column}::text)"),
        ("bytea", _) => format!(r"{column} || '\x00'"),
        ("json" | "jsonb", _) => format!("jsonb_build_object('was', {column})"),
        (_, "B") => format!("not {column}"),
        (_, "N") => format!("case when {column} > 0 then {column} - 1 else {column} + 1 end"),
        (_, "D") => format!("{column} + interval '1 day'"),
        _ => format!("case when {column} like '~%' then '!' else '~' end || substr({column}::text, 2)"),
    }
}

/// Copies rows. What a unique index holds gets a new number or UUID; one on other types objects.
pub(super) async fn add(target: &Target, rows: u32) -> Result<String, EngineError> {
    let name = &target.name;
    let columns = target
        .client
        .query(
            "select quote_ident(attname), typname,
                    exists (select from pg_index where indrelid = attrelid and indisunique and attnum = any (indkey))
               from pg_attribute a join pg_type t on t.oid = a.atttypid
              where attrelid = $1 and attnum > 0 and not attisdropped and attgenerated = ''
              order by attnum",
            &[&target.oid],
        )
        .await
        .map_err(said("list the columns"))?;
    let names: Vec<String> = columns.iter().map(|row| row.get(0)).collect();
    let values = columns.iter().map(|row| {
        let (column, kind, unique): (&str, &str, bool) = (row.get(0), row.get(1), row.get(2));
        match kind {
            "int2" | "int4" | "int8" if unique => {
                format!("(select max({column}) from {name}) + row_number() over ()")
            }
            "uuid" if unique => "gen_random_uuid()".to_owned(),
            _ => column.to_owned(),
        }
    });
    let sql = format!(
        "insert into {name} ({}) overriding system value
         select {} from {name} where (tableoid, ctid) in ({})",
        names.join(", "),
        values.collect::<Vec<_>>().join(", "),
        places(name, "true", Some(rows), 0),
    );
    Ok(format!("{} rows added", run(&target.client, "add rows", &sql).await?))
}

/// Deletes rows that others refer to.
pub(super) async fn orphan(target: &Target, rows: u32) -> Result<String, EngineError> {
    let keys = target
        .client
        .query_one(
            "select quote_ident(conname), confrelid::regclass::text,
                    (select string_agg(format('p.%I = c.%I', f.attname, a.attname), ' and ' order by u.n)
                       from unnest(conkey, confkey) with ordinality u (here, there, n)
                       join pg_attribute a on a.attrelid = conrelid and a.attnum = u.here
                       join pg_attribute f on f.attrelid = confrelid and f.attnum = u.there),
                    (select string_agg(quote_ident(attname), ', ' order by attnum)
                       from pg_attribute where attrelid = conrelid and attnum = any (conkey)),
                    (select string_agg(quote_ident(attname) || ' is not null', ' and ')
                       from pg_attribute where attrelid = conrelid and attnum = any (conkey))
               from pg_constraint
              where contype = 'f' and conrelid = $1
              order by convalidated desc, conname limit 1",
            &[&target.oid],
        )
        .await
        .map_err(said("look for a foreign key"))?;
    let [constraint, parent, pairs, columns, present] = [0, 1, 2, 3, 4].map(|at| keys.get::<_, String>(at));
    let sql = format!(
        "delete from {parent} p using
           (select distinct {columns} from {} where {present} order by {columns} limit {rows}) c
         where {pairs}",
        target.name
    );
    let rows = run(&target.client, "orphan rows", &sql).await?;
    Ok(format!("{rows} rows of {parent} deleted that {constraint} refers to"))
}
