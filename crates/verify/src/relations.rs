//! What a person calls a relation, and which relation a damaged file belongs to.

use crate::job::Work;
use crate::session::{Session, Trouble};

/// An expression that names a relation (an alias of `pg_class`, and of its row of `pg_namespace`): TOAST by the table whose
/// values it holds.
///
/// `reltoastrelid` has no index: for each TOAST table of thousands the whole of `pg_class` would be gone through. TOAST depends
/// on its table (PostgreSQL, "pg_depend"), which has one; the catalogs' own was made before there were dependencies.
pub(crate) fn title(relation: &str, namespace: &str) -> String {
    let of = "format('%I.%I', own_schema.nspname, own.relname)";
    let owners = "pg_namespace own_schema ON own_schema.oid = own.relnamespace";
    let depended = |toast: &str| {
        format!(
            "pg_depend needs JOIN pg_class own ON own.oid = needs.refobjid AND own.reltoastrelid = needs.objid JOIN {owners}
              WHERE needs.classid = 'pg_class'::regclass AND needs.objid = {toast} AND needs.objsubid = 0
                AND needs.refclassid = 'pg_class'::regclass"
        )
    };
    let toast = depended(&format!("{relation}.oid"));
    let indexed = depended("own_index.indrelid");
    let by_table = format!(
        "CASE WHEN {relation}.relkind = 't' THEN 'TOAST of ' || coalesce(
                (SELECT {of} FROM {toast}),
                (SELECT {of} FROM pg_class own JOIN {owners} WHERE own.reltoastrelid = {relation}.oid))
              WHEN {relation}.relkind = 'i' AND {namespace}.nspname = 'pg_toast' THEN 'index of the TOAST of ' || coalesce(
                (SELECT {of} FROM pg_index own_index, {indexed} AND own_index.indexrelid = {relation}.oid),
                (SELECT {of} FROM pg_index own_index JOIN pg_class own ON own.reltoastrelid = own_index.indrelid JOIN {owners}
                  WHERE own_index.indexrelid = {relation}.oid)) END"
    );
    format!("coalesce({by_table}, format('%I.%I', {namespace}.nspname, {relation}.relname))")
}

/// Text as an SQL literal.
pub(crate) fn literal(text: &str) -> String {
    // Backslashes mean themselves: the session sets standard_conforming_strings. No text of PostgreSQL's has a NUL.
    format!("'{}'", text.replace('\0', "").replace('\'', "''"))
}

/// Files a trouble that came up while `title` was read: damage under the relation whose file it is, which may be
/// another one (the table under an index, its TOAST). What is no damage is handed back.
pub(crate) async fn file(
    session: &mut Session<'_>,
    title: &str,
    trouble: Trouble,
    work: &mut Work,
) -> Result<(), Trouble> {
    let message = match trouble {
        Trouble::Damaged(message) => message,
        // Whole pages give no reader an internal error.
        Trouble::Other(message) if message.ends_with("(XX000)") => message,
        other => return Err(other),
    };
    match owner(session, &message).await {
        Some(owner) if owner != title => {
            work.ending.wrong(owner, format!("{message}; seen while {title} was checked"));
        }
        Some(_) | None => work.ending.wrong(title, message),
    }
    Ok(())
}

/// The relation whose file a message of the server speaks of. Without an answer the message still says the file.
async fn owner(session: &mut Session<'_>, message: &str) -> Option<String> {
    let path = path_in(message)?;
    let sql = format!(
        "SELECT {} FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.relkind IN ('r', 'm', 't', 'i', 'S') AND pg_relation_filepath(c.oid) = {}",
        title("c", "n"),
        literal(path)
    );
    let rows = session.query(&sql).await.ok()?;
    rows.first().map(|row| row.get(0))
}

/// The path of a relation's first file, as `pg_relation_filepath` gives it, in a message of the server.
fn path_in(message: &str) -> Option<&str> {
    let start = ["base/", "global/", "pg_tblspc/"].iter().find_map(|root| message.find(root))?;
    let rest = &message[start..];
    let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '_').unwrap_or(rest.len());
    // Behind the number comes what kind of file it is, and which gigabyte.
    let path = &rest[..end];
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    let number = path[name..].find(|c: char| !c.is_ascii_digit()).map_or(path.len(), |length| name + length);
    // A tablespace's directory is named after the version: PG_15_202209061.
    (number > name).then(|| &path[..number])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_tells_the_file() {
        let path = |message| path_in(message).unwrap_or("none");
        assert_eq!(path("invalid page in block 3 of relation base/5/16384 (XX001)"), "base/5/16384");
        assert_eq!(path("could not read block 10 in file \"base/5/16384.2\": read only 0"), "base/5/16384");
        assert_eq!(path("could not open file \"base/5/16384_vm\": No such file"), "base/5/16384");
        let spaced = "invalid page in block 0 of relation pg_tblspc/16385/PG_15_202209061/5/16386";
        assert_eq!(path(spaced), "pg_tblspc/16385/PG_15_202209061/5/16386");
        assert_eq!(path("heap tuple (0,1) from table \"t\" lacks matching index tuple"), "none");
    }
}
