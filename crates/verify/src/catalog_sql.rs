//! One query per kind of object: `(identity, definition)`, both text.
//!
//! The identity is what a person would say (`index public.orders_pkey`), quoted where it must be.
//! The definition holds everything that makes the object what it is and nothing that two restores of
//! one snapshot, or two servers, could have differently: no OID, no file, no statistics, no order of
//! storage. Members of extensions are left out, the extension and its version stand for them;
//! tables are the exception, because they hold data.

/// Objects whose schema is the users'.
macro_rules! user_schema {
    () => {
        "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
    };
}

/// Grants, in one order whatever the order they were given in.
macro_rules! acl {
    ($column:literal) => {
        concat!("(SELECT array_agg(a::text ORDER BY a::text COLLATE \"C\") FROM unnest(", $column, ") a)")
    };
}

/// Is no member of an extension.
macro_rules! own {
    ($class:literal, $oid:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_catalog.",
            $class,
            "'::regclass AND d.objid = ",
            $oid,
            " AND d.deptype = 'e')"
        )
    };
}

const SCHEMAS: &str = concat!(
    "SELECT format('schema %I', n.nspname), json_build_array(pg_get_userbyid(n.nspowner), ",
    acl!("n.nspacl"),
    ") FROM pg_namespace n WHERE ",
    user_schema!()
);

const EXTENSIONS: &str = "SELECT format('extension %I', e.extname), json_build_array(e.extversion, n.nspname)
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace";

const RELATIONS: &str = concat!(
    "SELECT format('%s %I.%I', CASE c.relkind WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view'
                WHEN 'm' THEN 'materialized view' ELSE 'table' END, n.nspname, c.relname),
        json_build_array(c.relkind, c.relpersistence, pg_get_userbyid(c.relowner), ",
    acl!("c.relacl"),
    ", (SELECT array_agg(o ORDER BY o COLLATE \"C\") FROM unnest(c.reloptions) o),
        c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
        pg_get_partkeydef(c.oid), pg_get_expr(c.relpartbound, c.oid),
        (SELECT array_agg(format('%I.%I', pn.nspname, p.relname) ORDER BY i.inhseqno)
           FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
           JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE i.inhrelid = c.oid),
        CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END,
        (SELECT json_build_array(s.srvname, f.ftoptions) FROM pg_foreign_table f
           JOIN pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid = c.oid))
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence <> 't' AND ",
    user_schema!(),
    " AND (c.relkind IN ('r', 'p', 'f') OR c.relkind IN ('v', 'm') AND ",
    own!("pg_class", "c.oid"),
    ")"
);

const COLUMNS: &str = concat!(
    "SELECT format('column %I.%I.%I', n.nspname, c.relname, a.attname),
        json_build_array(format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
        a.attidentity, a.attgenerated,
        (SELECT format('%I.%I', ln.nspname, l.collname) FROM pg_collation l
           JOIN pg_namespace ln ON ln.oid = l.collnamespace JOIN pg_type t ON t.oid = a.atttypid
           WHERE l.oid = a.attcollation AND a.attcollation <> t.typcollation), ",
    acl!("a.attacl"),
    ") FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND ",
    user_schema!()
);

const CONSTRAINTS: &str = concat!(
    "SELECT format('constraint %I on %I.%I', k.conname, n.nspname, c.relname),
        json_build_array(k.contype, pg_get_constraintdef(k.oid))
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE k.contype <> 't' AND ",
    user_schema!()
);

const INDEXES: &str = concat!(
    "SELECT format('index %I.%I', n.nspname, c.relname),
        json_build_array(pg_get_indexdef(i.indexrelid), i.indisvalid, i.indisreplident)
     FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence <> 't' AND ",
    user_schema!()
);

const SEQUENCES: &str = concat!(
    "SELECT format('sequence %I.%I', n.nspname, c.relname),
        json_build_array(format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache,
        s.seqcycle, c.relpersistence, pg_get_userbyid(c.relowner), ",
    acl!("c.relacl"),
    ", (SELECT format('%s %I.%I.%I', o.deptype, tn.nspname, t.relname, a.attname) FROM pg_depend o
           JOIN pg_class t ON t.oid = o.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
           JOIN pg_attribute a ON a.attrelid = o.refobjid AND a.attnum = o.refobjsubid
           WHERE o.classid = 'pg_catalog.pg_class'::regclass AND o.objid = c.oid AND o.objsubid = 0
             AND o.refclassid = 'pg_catalog.pg_class'::regclass AND o.deptype IN ('a', 'i') LIMIT 1))
     FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relpersistence <> 't' AND ",
    user_schema!(),
    " AND ",
    own!("pg_class", "c.oid")
);

const FUNCTIONS: &str = concat!(
    "SELECT format('%s %I.%I(%s)', CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate'
                ELSE 'function' END, n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
        json_build_array(p.prokind, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid),
        CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END,
        (SELECT json_build_array(g.aggkind, g.aggtransfn::text, g.aggfinalfn::text, g.aggcombinefn::text,
                 format_type(g.aggtranstype, NULL), g.agginitval) FROM pg_aggregate g WHERE g.aggfnoid = p.oid),
        pg_get_userbyid(p.proowner), ",
    acl!("p.proacl"),
    ") FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ",
    user_schema!(),
    " AND ",
    own!("pg_proc", "p.oid")
);

const TRIGGERS: &str = concat!(
    "SELECT format('trigger %I on %I.%I', t.tgname, n.nspname, c.relname),
        json_build_array(pg_get_triggerdef(t.oid), t.tgenabled)
     FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE NOT t.tgisinternal AND ",
    user_schema!()
);

const EVENT_TRIGGERS: &str = concat!(
    "SELECT format('event trigger %I', e.evtname),
        json_build_array(e.evtevent, e.evtfoid::regprocedure::text, e.evtenabled, e.evttags, pg_get_userbyid(e.evtowner))
     FROM pg_event_trigger e WHERE ",
    own!("pg_event_trigger", "e.oid")
);

const TYPES: &str = concat!(
    "SELECT format('%s %I.%I', CASE t.typtype WHEN 'd' THEN 'domain' WHEN 'e' THEN 'enum' ELSE 'type' END,
            n.nspname, t.typname),
        json_build_array(t.typtype, pg_get_userbyid(t.typowner), ",
    acl!("t.typacl"),
    ", (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
        CASE WHEN t.typtype = 'd' THEN json_build_array(format_type(t.typbasetype, t.typtypmod), t.typnotnull,
            t.typdefault, (SELECT array_agg(format('%I %s', k.conname, pg_get_constraintdef(k.oid))
                ORDER BY k.conname COLLATE \"C\") FROM pg_constraint k WHERE k.contypid = t.oid)) END,
        (SELECT array_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)) ORDER BY a.attnum)
           FROM pg_attribute a WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped),
        (SELECT format_type(r.rngsubtype, NULL) FROM pg_range r WHERE r.rngtypid = t.oid))
     FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
     WHERE (t.typtype IN ('e', 'd', 'r') OR t.typtype = 'b' AND t.typelem = 0
            OR t.typtype = 'c' AND (SELECT c.relkind FROM pg_class c WHERE c.oid = t.typrelid) = 'c')
       AND ",
    user_schema!(),
    " AND ",
    own!("pg_type", "t.oid")
);

const POLICIES: &str = concat!(
    "SELECT format('policy %I on %I.%I', p.polname, n.nspname, c.relname),
        json_build_array(p.polcmd, p.polpermissive,
        (SELECT array_agg(CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r)::text END
            ORDER BY CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r)::text END COLLATE \"C\")
           FROM unnest(p.polroles) r),
        pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
     FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ",
    user_schema!()
);

const RULES: &str = concat!(
    "SELECT format('rule %I on %I.%I', r.rulename, n.nspname, c.relname),
        json_build_array(pg_get_ruledef(r.oid), r.ev_enabled)
     FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE r.rulename <> '_RETURN' AND ",
    user_schema!()
);

const STATISTICS: &str = concat!(
    "SELECT format('statistics %I.%I', n.nspname, s.stxname), json_build_array(pg_get_statisticsobjdef(s.oid))
     FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE ",
    user_schema!()
);

const DEFAULT_PRIVILEGES: &str = concat!(
    "SELECT format('default privileges of %I for %s%s', pg_get_userbyid(d.defaclrole), d.defaclobjtype,
            (SELECT format(' in %I', n.nspname) FROM pg_namespace n WHERE n.oid = d.defaclnamespace)),
        json_build_array(",
    acl!("d.defaclacl"),
    ") FROM pg_default_acl d"
);

const COLLATIONS: &str = concat!(
    "SELECT format('collation %I.%I', n.nspname, l.collname),
        json_build_array(l.collprovider, l.collisdeterministic, l.collcollate, l.collctype,
        coalesce(to_jsonb(l) ->> 'colllocale', to_jsonb(l) ->> 'colliculocale'), pg_get_userbyid(l.collowner))
     FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace WHERE ",
    user_schema!(),
    " AND ",
    own!("pg_collation", "l.oid")
);

const SERVERS: &str = concat!(
    "SELECT format('server %I', s.srvname),
        json_build_array(w.fdwname, s.srvtype, s.srvversion, s.srvoptions, pg_get_userbyid(s.srvowner), ",
    acl!("s.srvacl"),
    ") FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw"
);

const PUBLICATIONS: &str = "SELECT format('publication %I', p.pubname),
        json_build_array(p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot,
        (SELECT array_agg(format('%I.%I', n.nspname, c.relname) ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\")
           FROM pg_publication_rel r JOIN pg_class c ON c.oid = r.prrelid
           JOIN pg_namespace n ON n.oid = c.relnamespace WHERE r.prpubid = p.oid))
     FROM pg_publication p";

/// Every query, in the order they are run.
pub(crate) const QUERIES: [&str; 18] = [
    SCHEMAS,
    EXTENSIONS,
    RELATIONS,
    COLUMNS,
    CONSTRAINTS,
    INDEXES,
    SEQUENCES,
    FUNCTIONS,
    TRIGGERS,
    EVENT_TRIGGERS,
    TYPES,
    POLICIES,
    RULES,
    STATISTICS,
    DEFAULT_PRIVILEGES,
    COLLATIONS,
    SERVERS,
    PUBLICATIONS,
];
