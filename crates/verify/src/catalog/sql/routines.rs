//! What computes: functions, aggregates, operators, casts, languages.

/// Functions and procedures, without the constructors that come with a range type.
pub(super) const FUNCTIONS: &str = r#"
    SELECT p.oid, format('%s %I.%I(%s)', CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END,
               n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
           json_build_object('arguments', nullif(pg_get_function_arguments(p.oid), ''),
               'returns', pg_get_function_result(p.oid), 'language', l.lanname,
               'body', [[14: coalesce(pg_get_function_sqlbody(p.oid), p.prosrc),]] [[..13: p.prosrc,]]
               'library', p.probin,
               'window', nullif(p.prokind = 'w', false),
               'volatility', CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
               'parallel', CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END,
               'strict', nullif(p.proisstrict, false), 'leakproof', nullif(p.proleakproof, false),
               'security definer', nullif(p.prosecdef, false),
               'cost', p.procost::text, 'rows', CASE WHEN p.proretset THEN p.prorows::text END,
               'support function', {routine|p.prosupport},
               'transforms', (SELECT array_agg(format_type(t, NULL)) FROM unnest(p.protrftypes) t),
               'settings', {guarded_options|p.proconfig},
               'owner', pg_get_userbyid(p.proowner), {grants|p.proacl|acldefault('f', p.proowner)|p.proowner},
               'comment', described.description)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
      {described|pg_proc|p.oid}
     WHERE p.prokind <> 'a' AND {user_schema} AND {independent|pg_proc|p.oid}"#;

/// Aggregates.
pub(super) const AGGREGATES: &str = r#"
    SELECT p.oid, format('aggregate %I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
           json_build_object('returns', pg_get_function_result(p.oid),
               'kind', CASE g.aggkind WHEN 'o' THEN 'ordered-set' WHEN 'h' THEN 'hypothetical-set' END,
               'direct arguments', nullif(g.aggnumdirectargs, 0),
               'state type', format_type(g.aggtranstype, NULL), 'state size', nullif(g.aggtransspace, 0),
               'state function', {routine|g.aggtransfn}, 'final function', {routine|g.aggfinalfn},
               'final function takes extra', nullif(g.aggfinalextra, false), 'final function modifies', {modifies|g.aggfinalmodify},
               'combine function', {routine|g.aggcombinefn}, 'serial function', {routine|g.aggserialfn},
               'deserial function', {routine|g.aggdeserialfn}, 'initial value', g.agginitval,
               'moving state type', CASE WHEN g.aggmtranstype <> 0 THEN format_type(g.aggmtranstype, NULL) END,
               'moving state size', nullif(g.aggmtransspace, 0),
               'moving state function', {routine|g.aggmtransfn},
               'moving inverse function', {routine|g.aggminvtransfn},
               'moving final function', {routine|g.aggmfinalfn},
               'moving final function takes extra', nullif(g.aggmfinalextra, false),
               'moving final function modifies', CASE WHEN g.aggmtranstype <> 0 THEN {modifies|g.aggmfinalmodify} END,
               'moving initial value', g.aggminitval,
               'sort operator', nullif(g.aggsortop::regoperator::text, '0'),
               'parallel', CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END,
               'owner', pg_get_userbyid(p.proowner), {grants|p.proacl|acldefault('f', p.proowner)|p.proowner},
               'comment', described.description)
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_aggregate g ON g.aggfnoid = p.oid
      {described|pg_proc|p.oid}
     WHERE {user_schema} AND {own|pg_proc|p.oid}"#;

/// Event triggers.
pub(super) const EVENT_TRIGGERS: &str = r#"
    SELECT e.oid, format('event trigger %I', e.evtname),
           json_build_object('event', e.evtevent, 'function', {routine|e.evtfoid}, 'fires', {fires|e.evtenabled},
               'tags', (SELECT array_agg(t ORDER BY t COLLATE "C") FROM unnest(e.evttags) t),
               'owner', pg_get_userbyid(e.evtowner), 'comment', described.description)
      FROM pg_event_trigger e {described|pg_event_trigger|e.oid}
     WHERE {own|pg_event_trigger|e.oid}"#;

/// Languages other than PostgreSQL's own and those of extensions.
pub(super) const LANGUAGES: &str = r#"
    SELECT l.oid, format('language %I', l.lanname),
           json_build_object('trusted', l.lanpltrusted, 'handler', {routine|l.lanplcallfoid},
               'inline handler', {routine|l.laninline}, 'validator', {routine|l.lanvalidator},
               'owner', pg_get_userbyid(l.lanowner), {grants|l.lanacl|acldefault('l', l.lanowner)|l.lanowner},
               'comment', described.description)
      FROM pg_language l {described|pg_language|l.oid}
     WHERE {made|l.oid} AND {own|pg_language|l.oid}"#;

/// Casts, without those that come with a range type.
pub(super) const CASTS: &str = r#"
    SELECT k.oid, format('cast (%s AS %s)', format_type(k.castsource, NULL), format_type(k.casttarget, NULL)),
           json_build_object('function', {routine|k.castfunc},
               'method', CASE k.castmethod WHEN 'f' THEN 'function' WHEN 'i' THEN 'input and output' ELSE 'binary' END,
               'context', CASE k.castcontext WHEN 'i' THEN 'implicit' WHEN 'a' THEN 'assignment' ELSE 'explicit' END,
               'comment', described.description)
      FROM pg_cast k {described|pg_cast|k.oid}
     WHERE {made|k.oid} AND {independent|pg_cast|k.oid}"#;

/// Transforms.
pub(super) const TRANSFORMS: &str = r#"
    SELECT t.oid, format('transform for %s language %I', format_type(t.trftype, NULL), l.lanname),
           json_build_object('from SQL', {routine|t.trffromsql}, 'to SQL', {routine|t.trftosql},
               'comment', described.description)
      FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang {described|pg_transform|t.oid}
     WHERE {own|pg_transform|t.oid}"#;

/// Access methods.
pub(super) const ACCESS_METHODS: &str = r#"
    SELECT a.oid, format('access method %I', a.amname),
           json_build_object('type', CASE a.amtype WHEN 'i' THEN 'index' ELSE 'table' END,
               'handler', {routine|a.amhandler}, 'comment', described.description)
      FROM pg_am a {described|pg_am|a.oid}
     WHERE {made|a.oid} AND {own|pg_am|a.oid}"#;

/// Operators.
pub(super) const OPERATORS: &str = r#"
    SELECT o.oid, format('operator %I.%s(%s, %s)', n.nspname, o.oprname,
               CASE WHEN o.oprleft = 0 THEN 'NONE' ELSE format_type(o.oprleft, NULL) END,
               CASE WHEN o.oprright = 0 THEN 'NONE' ELSE format_type(o.oprright, NULL) END),
           json_build_object('function', {routine|o.oprcode},
               'returns', CASE WHEN o.oprresult <> 0 THEN format_type(o.oprresult, NULL) END,
               'commutator', nullif(o.oprcom::regoperator::text, '0'),
               'negator', nullif(o.oprnegate::regoperator::text, '0'),
               'restrict', {routine|o.oprrest}, 'join', {routine|o.oprjoin},
               'hashes', nullif(o.oprcanhash, false), 'merges', nullif(o.oprcanmerge, false),
               'owner', pg_get_userbyid(o.oprowner), 'comment', described.description)
      FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace {described|pg_operator|o.oid}
     WHERE {user_schema} AND {own|pg_operator|o.oid}"#;

/// Operator classes.
pub(super) const OPERATOR_CLASSES: &str = r#"
    SELECT o.oid, format('operator class %I.%I using %I', n.nspname, o.opcname, am.amname),
           json_build_object('type', format_type(o.opcintype, NULL), 'default', nullif(o.opcdefault, false),
               'storage', CASE WHEN o.opckeytype <> 0 THEN format_type(o.opckeytype, NULL) END,
               'family', format('%I.%I', fn.nspname, f.opfname),
               'owner', pg_get_userbyid(o.opcowner), 'comment', described.description)
      FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace JOIN pg_am am ON am.oid = o.opcmethod
      JOIN pg_opfamily f ON f.oid = o.opcfamily JOIN pg_namespace fn ON fn.oid = f.opfnamespace
      {described|pg_opclass|o.oid}
     WHERE {user_schema} AND {own|pg_opclass|o.oid}"#;

/// Operator families, with all that their classes and others put into them.
pub(super) const OPERATOR_FAMILIES: &str = r#"
    SELECT f.oid, format('operator family %I.%I using %I', n.nspname, f.opfname, am.amname),
           json_build_object(
               'operators', (SELECT array_agg(m.text ORDER BY m.text COLLATE "C") FROM (
                    SELECT concat(o.amopstrategy, ' ', o.amopopr::regoperator, (SELECT format(' for order by %I.%I',
                            sn.nspname, s.opfname) FROM pg_opfamily s JOIN pg_namespace sn ON sn.oid = s.opfnamespace
                             WHERE s.oid = o.amopsortfamily))
                      FROM pg_amop o WHERE o.amopfamily = f.oid) AS m(text)),
               'functions', (SELECT array_agg(m.text ORDER BY m.text COLLATE "C") FROM (
                    SELECT format('%s (%s, %s) %s', r.amprocnum, format_type(r.amproclefttype, NULL),
                           format_type(r.amprocrighttype, NULL), r.amproc::oid::regprocedure)
                      FROM pg_amproc r WHERE r.amprocfamily = f.oid) AS m(text)),
               'owner', pg_get_userbyid(f.opfowner), 'comment', described.description)
      FROM pg_opfamily f JOIN pg_namespace n ON n.oid = f.opfnamespace JOIN pg_am am ON am.oid = f.opfmethod
      {described|pg_opfamily|f.oid}
     WHERE {user_schema} AND {own|pg_opfamily|f.oid}"#;
