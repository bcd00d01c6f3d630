//! What surrounds the objects: the database itself, extensions, replication, foreign servers, settings, roles, grants.

/// The database: what `CREATE DATABASE` and `ALTER DATABASE` say, without its name.
pub(super) const DATABASE: &str = r#"
    SELECT d.oid, 'database',
           json_build_object('encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
               [[15: 'locale provider', {provider|d.datlocprovider},]]
               [[15..16: 'locale', d.daticulocale,]] [[17: 'locale', d.datlocale,]] [[16: 'ICU rules', d.daticurules,]]
               'connection limit', nullif(d.datconnlimit, -1),
               'owner', pg_get_userbyid(d.datdba), {grants|d.datacl|acldefault('d', d.datdba)|d.datdba},
               'comment', described.description)
      FROM pg_database d {shared_described|pg_database|d.oid}
     WHERE d.datname = current_database()"#;

/// Extensions. Their owner is left out, because a dump does not have it, and their comment, because it is theirs.
pub(super) const EXTENSIONS: &str = r#"
    SELECT e.oid, format('extension %I', e.extname),
           json_build_object('version', e.extversion, 'schema', n.nspname)
      FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE n.nspname <> '{own_schema}'"#;

/// Publications.
pub(super) const PUBLICATIONS: &str = r#"
    SELECT p.oid, format('publication %I', p.pubname),
           json_build_object('all tables', nullif(p.puballtables, false),
               'operations', array_remove(ARRAY[CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN
                   'update' END, CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END],
                   NULL),
               [[13: 'via partition root', nullif(p.pubviaroot, false),]]
               [[18: 'generated columns', CASE p.pubgencols WHEN 's' THEN 'stored' END,]]
               'tables', (SELECT array_agg(m.text ORDER BY m.text COLLATE "C") FROM (
                   SELECT concat(format('%I.%I', n.nspname, c.relname)
                       [[15: , (SELECT format(' (%s)', string_agg(quote_ident(a.attname), ', '
                                   ORDER BY a.attname COLLATE "C")) FROM pg_attribute a
                                 WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs) AND r.prattrs IS NOT NULL
                                HAVING count(*) > 0),
                            ' where ' || pg_get_expr(r.prqual, r.prrelid)]])
                     FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid
                     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.prpubid = p.oid) AS m(text)),
               [[15: 'schemas', (SELECT array_agg(quote_ident(n.nspname) ORDER BY n.nspname COLLATE "C")
                   FROM pg_publication_namespace s JOIN pg_namespace n ON n.oid = s.pnnspid WHERE s.pnpubid = p.oid),]]
               'owner', pg_get_userbyid(p.pubowner), 'comment', described.description)
      FROM pg_publication p {described|pg_publication|p.oid}
     WHERE {own|pg_publication|p.oid}"#;

/// Subscriptions, as far as everybody may read of them, column by column (`system_views.sql` of each major).
///
/// Never where they lead to (`subconninfo` holds a password and is not readable), and not whether they are switched on:
/// who makes a copy safe switches them off.
pub(super) const SUBSCRIPTIONS: &str = r#"
    SELECT s.subdbid, format('subscription %I', s.subname),
           json_build_object('slot', s.subslotname,
               'publications', (SELECT array_agg(t ORDER BY t COLLATE "C") FROM unnest(s.subpublications) t),
               [[14: 'binary', nullif(s.subbinary, false), 'synchronous commit', s.subsynccommit,]]
               [[14..15: 'streaming', CASE WHEN s.substream THEN 'on' END,]]
               [[16: 'streaming', CASE s.substream WHEN 't' THEN 'on' WHEN 'p' THEN 'parallel' END,]]
               [[15: 'two phase', nullif(s.subtwophasestate <> 'd', false),
                     'disable on error', nullif(s.subdisableonerr, false),]]
               [[16: 'origin', s.suborigin, 'password required', s.subpasswordrequired,
                     'run as owner', nullif(s.subrunasowner, false),]]
               [[17: 'failover', nullif(s.subfailover, false),]]
               'owner', pg_get_userbyid(s.subowner))
      FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
     WHERE d.datname = current_database()"#;

/// Foreign-data wrappers.
pub(super) const FOREIGN_DATA_WRAPPERS: &str = r#"
    SELECT w.oid, format('foreign-data wrapper %I', w.fdwname),
           json_build_object('handler', {routine|w.fdwhandler}, 'validator', {routine|w.fdwvalidator},
               'options', {guarded_options|w.fdwoptions},
               'owner', pg_get_userbyid(w.fdwowner), {grants|w.fdwacl|acldefault('F', w.fdwowner)|w.fdwowner},
               'comment', described.description)
      FROM pg_foreign_data_wrapper w {described|pg_foreign_data_wrapper|w.oid}
     WHERE {own|pg_foreign_data_wrapper|w.oid}"#;

/// Foreign servers.
pub(super) const SERVERS: &str = r#"
    SELECT s.oid, format('server %I', s.srvname),
           json_build_object('wrapper', w.fdwname, 'type', s.srvtype, 'version', s.srvversion,
               'options', {guarded_options|s.srvoptions},
               'owner', pg_get_userbyid(s.srvowner), {grants|s.srvacl|acldefault('S', s.srvowner)|s.srvowner},
               'comment', described.description)
      FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw {described|pg_foreign_server|s.oid}
     WHERE {own|pg_foreign_server|s.oid}"#;

/// User mappings: that they are there. Their options hold passwords, and who may read them depends on who reads.
pub(super) const USER_MAPPINGS: &str = r#"
    SELECT m.umid, format('user mapping for %s on server %I', CASE m.umuser WHEN 0 THEN 'public'
               ELSE quote_ident(m.usename) END, m.srvname), json_build_object('server', m.srvname)
      FROM pg_user_mappings m"#;

/// Settings of the database, and of roles in it; those of roles everywhere with the roles (see [`ROLES`]).
pub(super) const SETTINGS: &str = r#"
    SELECT s.setrole, CASE WHEN s.setdatabase = 0 AND s.setrole = 0 THEN 'settings of all roles'
               WHEN s.setdatabase = 0 THEN format('settings of role %I', pg_get_userbyid(s.setrole))
               WHEN s.setrole = 0 THEN 'settings of database'
               ELSE format('settings of role %I in database', pg_get_userbyid(s.setrole)) END,
           (SELECT json_object_agg(split_part(o, '=', 1), {value|o}) FROM unnest(s.setconfig) o)
      FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase
     WHERE d.datname = current_database() OR s.setdatabase = 0 AND current_database() = 'postgres'"#;

/// Roles and their memberships, which are the whole server's: in the database `postgres`, that is there on every RDS
/// instance, so that they are said once. Where it was dropped, nobody says them.
///
/// PostgreSQL's own and those that RDS makes (`rdsadmin`, `rds_...`) come with the server's version; who is a member of
/// them is said with the member. Passwords are not readable, not even that there is one.
pub(super) const ROLES: &str = r#"
    SELECT r.oid, format('role %I', r.rolname),
           json_build_object(
               'attributes', array_remove(ARRAY[CASE WHEN r.rolsuper THEN 'superuser' END,
                   CASE WHEN r.rolcreatedb THEN 'createdb' END, CASE WHEN r.rolcreaterole THEN 'createrole' END,
                   CASE WHEN r.rolinherit THEN 'inherit' END, CASE WHEN r.rolcanlogin THEN 'login' END,
                   CASE WHEN r.rolreplication THEN 'replication' END, CASE WHEN r.rolbypassrls THEN 'bypassrls' END],
                   NULL),
               'connection limit', nullif(r.rolconnlimit, -1), 'valid until', r.rolvaliduntil::text,
               'member of', (SELECT array_agg(m.text ORDER BY m.text COLLATE "C") FROM (
                   SELECT DISTINCT concat(quote_ident(g.rolname), CASE WHEN a.admin_option THEN ' with admin option' END
                       [[16: , CASE WHEN NOT a.inherit_option THEN ' without inherit' END,
                               CASE WHEN NOT a.set_option THEN ' without set' END]])
                     FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid WHERE a.member = r.oid) AS m(text)),
               'comment', described.description)
      FROM pg_roles r {shared_described|pg_authid|r.oid}
     WHERE current_database() = 'postgres' AND r.rolname !~ '^(pg_|rds_|rdsadmin$|rdsrepladmin$|rdstopmgr$)'"#;

/// Tablespaces, which are the whole server's too; where they lie is the server's business.
pub(super) const TABLESPACES: &str = r#"
    SELECT t.oid, format('tablespace %I', t.spcname),
           json_build_object('options', {options|t.spcoptions},
               'owner', pg_get_userbyid(t.spcowner), {grants|t.spcacl|acldefault('t', t.spcowner)|t.spcowner},
               'comment', described.description)
      FROM pg_tablespace t {shared_described|pg_tablespace|t.oid}
     WHERE current_database() = 'postgres' AND t.spcname !~ '^pg_'"#;

/// Who may set and change parameters, in the whole server.
pub(super) const PARAMETERS: &str = r#"
    SELECT p.oid, format('grants on parameter %s', p.parname),
           json_build_object({grants|p.paracl|acldefault('p', 10)|10})
      FROM pg_parameter_acl p WHERE current_database() = 'postgres'"#;

/// Default privileges: for the whole database they replace what the server has by default, for a schema they add to it
/// (`acldefault` of a column is the empty list).
pub(super) const DEFAULT_PRIVILEGES: &str = r#"
    SELECT d.oid, concat('default privileges of ', quote_ident(pg_get_userbyid(d.defaclrole)), ' for ',
               CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                   WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' WHEN 'L' THEN 'large objects'
                   ELSE d.defaclobjtype::text END, ' in schema ' || quote_ident(n.nspname)),
           json_build_object({grants|d.defaclacl|CASE WHEN d.defaclnamespace = 0 THEN acldefault(
               CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END, d.defaclrole)
               ELSE acldefault('c', d.defaclrole) END|d.defaclrole})
      FROM pg_default_acl d LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace"#;

/// What was granted or revoked on PostgreSQL's own objects and on members of extensions, beyond what `initdb` and
/// `CREATE EXTENSION` left (`pg_init_privs`): who may call `pg_read_file` belongs to the schema of a database. Of
/// `information_schema` the server does not say what it was at first, and a dump leaves it out, too.
pub(super) const GRANTS_ON_SYSTEM_OBJECTS: &str = r#"
    SELECT g.oid, 'grants on ' || g.name, g.definition FROM (
        SELECT o.oid, o.name, json_strip_nulls(json_build_object(
                   {grants|o.acl|coalesce(i.initprivs, acldefault(o.type, o.owner))|o.owner})) AS definition
          FROM (SELECT p.oid, 'pg_catalog.pg_proc'::regclass, 'f'::"char", p.proowner, p.proacl, p.pronamespace,
                       format('function %I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))
                  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.proacl IS NOT NULL
                 UNION ALL
                SELECT c.oid, 'pg_catalog.pg_class'::regclass, CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END,
                       c.relowner, c.relacl, c.relnamespace, format('%I.%I', n.nspname, c.relname)
                  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relacl IS NOT NULL
                   AND NOT (c.relkind IN ('r', 'p', 'f') AND {user_schema})
                 UNION ALL
                SELECT t.oid, 'pg_catalog.pg_type'::regclass, 'T', t.typowner, t.typacl, t.typnamespace,
                       format('type %I.%I', n.nspname, t.typname)
                  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typacl IS NOT NULL
                 UNION ALL
                SELECT n.oid, 'pg_catalog.pg_namespace'::regclass, 'n', n.nspowner, n.nspacl, n.oid,
                       format('schema %I', n.nspname)
                  FROM pg_namespace n WHERE n.nspacl IS NOT NULL AND n.nspname = 'pg_catalog'
                 UNION ALL
                SELECT l.oid, 'pg_catalog.pg_language'::regclass, 'l', l.lanowner, l.lanacl,
                       'pg_catalog'::regnamespace, format('language %I', l.lanname)
                  FROM pg_language l WHERE l.lanacl IS NOT NULL
                 UNION ALL
                SELECT w.oid, 'pg_catalog.pg_foreign_data_wrapper'::regclass, 'F', w.fdwowner, w.fdwacl, NULL::oid,
                       format('foreign-data wrapper %I', w.fdwname)
                  FROM pg_foreign_data_wrapper w WHERE w.fdwacl IS NOT NULL)
               AS o(oid, class, type, owner, acl, namespace, name)
          LEFT JOIN pg_init_privs i ON i.objoid = o.oid AND i.classoid = o.class AND i.objsubid = 0
         WHERE o.namespace = 'pg_catalog'::regnamespace
            OR EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')
               AND o.namespace IS DISTINCT FROM (SELECT n.oid FROM pg_namespace n WHERE n.nspname = '{own_schema}')
        ) AS g
     WHERE g.definition::text <> json_build_object()::text"#;

/// Security labels.
pub(super) const SECURITY_LABELS: &str = r#"
    SELECT s.objoid, format('security label of %I on %s %s', s.provider, i.type, i.identity),
           json_build_object('label', s.label)
      FROM pg_seclabel s, LATERAL pg_identify_object(s.classoid, s.objoid, s.objsubid) i"#;
