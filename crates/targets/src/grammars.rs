//! The grammars of the targets: mostly well formed, with wrong names, types and places strewn in.

use crate::grammar::Grammar;

type Rule = (&'static str, &'static [&'static str]);

const URN: Rule = (
    "urn",
    &[
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
        "URN:ietf:params:scim:schemas:core:2.0:user",
        "urn:ietf:params:scim:schemas:core:2.0:Group",
        "urn:example:2.0:Badge",
        "urn:ietf:params:scim:schemas:core:2.0:User",
    ],
);
const ATTRIBUTE: Rule = (
    "attribute",
    &[
        "userName", "USERNAME", "name", "emails", "phoneNumbers", "addresses", "roles", "members", "groups", "active", "title",
        "displayName", "externalId", "id", "meta", "schemas", "x509Certificates", "entitlements", "department", "manager",
        "employeeNumber", "password", "shoeSize", "not", "nickName",
    ],
);
const SUB: Rule = (
    "sub",
    &["value", "type", "primary", "display", "$ref", "givenName", "lastModified", "country", "VALUE", "formatted", "displayName", "x"],
);
const PLAIN: Rule = ("plain", &["<attribute>", "<attribute>.<sub>", "<urn>:<attribute>", "<urn>:<attribute>.<sub>", "<urn>", "<sub>"]);
const OPERATOR: Rule = ("operator", &["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ", "is"]);
const LITERAL: Rule = (
    "literal",
    &[
        "\"work\"", "\"bjensen@example.com\"", "\"2819c223\"", "\"STRASSE\"", "\"\"", "\"2011-05-13T04:42:34Z\"", "\"a\\\"b\\\\\\u00e9\"",
        "\"\u{130}\"", "true", "False", "null", "7", "-0", "1e15", "-1.5E-7", "18446744073709551615", "\"True\"",
    ],
);
const FILTER_RULE: Rule = (
    "filter",
    &[
        "<comparison>", "<filter> and <filter>", "<filter> or <filter>", "not (<filter>)", "(<filter>)", "NOT(<filter>)",
        "<attribute>[<inner>]", "<attribute>[<inner>].<sub> <operator> <literal>", "<attribute>[<inner>].<sub> pr", "<comparison>",
    ],
);
const COMPARISON: Rule = ("comparison", &["<plain> <operator> <literal>", "<plain> pr"]);
const INNER: Rule = (
    "inner",
    &["<sub> <operator> <literal>", "<inner> and <inner>", "<inner> or <inner>", "not (<inner>)", "<sub> pr", "<sub> eq <literal>"],
);
const SELECTED: Rule = (
    "selected",
    &["<plain>", "<attribute>[<inner>]", "<attribute>[<inner>].<sub>", "<urn>:<attribute>[<inner>].<sub>", "<plain>"],
);

/// JSON: values, and resources whose names and types are often right.
const VALUE: Rule = (
    "value",
    &[
        "<text>", "<literal>", "<element>", "[<element>]", "[<element>,<element>,<element>]", "{<pairs>}", "[]", "{}", "[[<value>]]", "[<value>,null]",
        "<text>",
    ],
);
const TEXT: Rule = ("text", &["\"work\"", "\"a\"", "\"A\"", "\"2819c223\"", "\"\"", "\"true\"", "\"\u{e9}\u{1f600}\""]);
const ELEMENT: Rule = (
    "element",
    &[
        "{\"value\":<text>}", "{\"value\":<text>,\"type\":<text>}", "{\"value\":<text>,\"type\":<text>,\"primary\":true}",
        "{\"VALUE\":<text>,\"primary\":false,\"display\":<text>}", "{<pairs>}", "{\"$ref\":<text>}", "{\"value\":\"a\"}",
    ],
);
const PAIRS: Rule = ("pairs", &["<pair>", "<pair>,<pairs>", "<pair>"]);
const PAIR: Rule = (
    "pair",
    &[
        "\"<attribute>\":<value>", "\"<sub>\":<value>", "\"userName\":<text>", "\"name\":{\"givenName\":<text>,\"familyName\":<text>}",
        "\"emails\":[<element>,<element>]", "\"active\":true", "\"displayName\":<text>", "\"members\":[<element>,<element>]",
        "\"<urn>\":{<pairs>}", "\"<urn>:<attribute>\":<value>", "\"<attribute>.<sub>\":<value>", "\"title\":<text>",
    ],
);
const RESOURCE_RULE: Rule = (
    "resource",
    &["{\"userName\":<text>,<pairs>}", "{\"displayName\":<text>,<pairs>}", "{<pairs>}", "{\"schemas\":[\"<urn>\"],\"userName\":<text>}"],
);
const OPERATIONS: Rule = ("operations", &["<operation>", "<operation>,<operations>", "<operation>"]);
const OPERATION: Rule = (
    "operation",
    &[
        "{\"op\":\"<op>\",\"path\":\"<escaped>\",\"value\":<value>}", "{\"op\":\"<op>\",\"value\":{<pairs>}}",
        "{\"op\":\"remove\",\"path\":\"<escaped>\"}", "{\"op\":\"<op>\",\"path\":\"<plain>\",\"value\":[<element>,<element>]}",
        "{\"op\":\"<op>\",\"path\":\"emails[type eq \\\"work\\\"].<sub>\",\"value\":<text>}",
        "{\"op\":\"remove\",\"path\":\"members\",\"value\":[<element>]}", "{\"op\":\"<op>\",\"path\":\"<attribute>\",\"value\":<value>}",
    ],
);
const OP: Rule = ("op", &["add", "remove", "replace", "Replace", "ADD", "move"]);
/// A path whose quotes are escaped, since it stands in a text itself.
const ESCAPED: Rule = (
    "escaped",
    &[
        "<plain>", "<attribute>[<sub> eq \\\"work\\\"]", "<attribute>[<sub> <operator> \\\"a\\\"].<sub>", "<attribute>[<sub> pr]",
        "members[value eq \\\"2819c223\\\"]", "<attribute>[not (<sub> eq \\\"a\\\") and primary eq true].<sub>", "<urn>:<attribute>", "<plain>",
    ],
);

pub(crate) const FILTER: Grammar = Grammar(&[
    ("start", &["<filter>", "<filter>\0{<pairs>}", "<filter>"]),
    FILTER_RULE, COMPARISON, INNER, PLAIN, ATTRIBUTE, SUB, URN, OPERATOR, LITERAL, VALUE, TEXT, ELEMENT, PAIRS, PAIR,
]);

pub(crate) const PATH: Grammar = Grammar(&[
    ("start", &["<selected>", "<selected>\0{<pairs>}", "<selected>"]),
    SELECTED, INNER, PLAIN, ATTRIBUTE, SUB, URN, OPERATOR, LITERAL, VALUE, TEXT, ELEMENT, PAIRS, PAIR,
]);

pub(crate) const PATCH: Grammar = Grammar(&[
    ("start", &["{\"Operations\":[<operations>]}", "{\"Operations\":[<operations>]}\0<resource>", "{\"Operations\":[<operation>]}"]),
    OPERATIONS, OPERATION, OP, ESCAPED, RESOURCE_RULE, PLAIN, ATTRIBUTE, SUB, URN, OPERATOR, LITERAL, VALUE, TEXT, ELEMENT, PAIRS, PAIR,
]);

pub(crate) const RESOURCE: Grammar = Grammar(&[
    ("start", &["<resource>", "<resource>\0<plain>,<plain>", "<resource>\0\0<plain>,<plain>", "<resource>\0<plain>\0<plain>", "<resource>"]),
    RESOURCE_RULE, PLAIN, ATTRIBUTE, SUB, URN, LITERAL, VALUE, TEXT, ELEMENT, PAIRS, PAIR,
]);

pub(crate) const CSV: Grammar = Grammar(&[
    (
        "start",
        &[
            "u<key>,<columns><end><rows>", "gdisplayName,externalId<end><rows>", "mgroup,member<end><rows>", "j<objects>", "v<cell>\u{1f}<cell>\u{1f}<cell>",
            "u<key>,title<end><row><end>",
        ],
    ),
    ("key", &["userName", "externalId", "externalid"]),
    ("columns", &["<column>", "<column>,<columns>", "<column>"]),
    ("column", &["title", "active", "emails[type eq \"\"work\"\"].value", "\"emails[type eq \"\"work\"\"].value\"", "<plain>", "\u{feff}", "name.givenName"]),
    ("rows", &["<row><end><rows>", "<row><end><row><end>", "<row><end>", "<row>"]),
    ("row", &["<cell>,<cell>", "<cell>,<row>", "<cell>,<cell>"]),
    ("cell", &["ann", "bob", "", "\"a, b\"", "\"say \"\"hi\"\"\"", "\"two\r\nlines\"", "true", "FALSE", "\u{e9}\u{1f600}", "a\"b", "7"]),
    ("end", &["\n", "\r\n", "\r", "\n"]),
    ("objects", &["<resource>\n<objects>", "{\"userName\":\"ann\",<pairs>}\n<objects>", "{\"userName\":\"bob\",<pairs>}\n"]),
    RESOURCE_RULE, PLAIN, ATTRIBUTE, SUB, URN, LITERAL, VALUE, TEXT, ELEMENT, PAIRS, PAIR,
]);

pub(crate) const RETRY_AFTER: Grammar = Grammar(&[
    ("start", &["<moment><header>", "<moment><header>", "<moment><digits>"]),
    ("moment", &["\0\0\0\0\0\0\0\0", "\0\u{1}\u{2}\u{3}\u{4}\u{1}\0\0", "abcdefgh", "\0\0\0\0\0\0\0\0"]),
    (
        "header",
        &[
            "<day>, <digits> <month> <digits> <digits>:<digits>:<digits> GMT", "<day>, 06 <month> 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994", "-<digits>", "<digits>.<digits>", " <digits> ", "+<digits>",
        ],
    ),
    ("day", &["Sun", "Mon", "X"]),
    ("month", &["Jan", "Feb", "Nov", "Dec", "dec"]),
    ("digits", &["0", "1", "120", "31", "60", "1994", "2026", "9999", "86401", "99999999999999999999", "<digits><digits>", "7"]),
]);

pub(crate) const EXPRESSION: Grammar = Grammar(&[
    ("start", &["<value>", "<value>\0{\"userName\":\"ann\",\"title\":null}", "<value>"]),
    (
        "value",
        &[
            "<name>", "<literal>", "<value> ~ <value>", "<value> | <pipe>", "(<value> <operator> <value>)", "<value> if <value> else <value>",
            "<call>", "[<value>, <value>]", "not <value>", "<value>[<value>]", "<value> | default(<value>)", "<value>.<field>", "{<literal>: <value>}",
            "<value>[<literal>:<literal>]", "-<value>", "<name>",
        ],
    ),
    (
        "name",
        &[
            "user.userName", "user.name.givenName", "user.emails", "user.emails[0].value", "manager", "manager.displayName", "groups", "user",
            "user.shoeSize", "nobody", "groups[0]", "user.userName",
        ],
    ),
    ("field", &["userName", "value", "name", "title"]),
    ("literal", &["'@'", "'a'", "''", "0", "1", "-1", "1000000", "1.5", "true", "none", "'\u{e9}\u{df}\u{f8}'", "9223372036854775807"]),
    ("operator", &["+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", ">=", "in", "and", "or", "is", "~"]),
    (
        "pipe",
        &[
            "upper", "lower", "trim", "title", "length", "first", "last", "join", "join(<literal>)", "replace(<literal>, <literal>)", "split(<literal>)",
            "list", "string", "int", "sort", "unique", "reverse", "batch(2)", "tojson", "map(attribute='value')", "select", "items", "abs", "round",
            "indent(<literal>)", "slice(3)", "sum", "upper",
        ],
    ),
    (
        "call",
        &[
            "substring_before(<value>, <literal>)", "substring_after(<value>, <literal>)", "first_of(<value>, <value>)",
            "switch(<value>, <value>, <literal>, <value>)", "is_member_of(groups, 'Tour Guides')", "is_member_of(<value>, <value>)",
            "normalize_diacritics(<value>)", "join(<literal>, <value>, <value>)", "split(<value>, <literal>)", "to_upper(<value>)",
            "replace(<value>, <literal>, <literal>)", "mid(<value>, 1, 2)", "append(<value>, <value>)", "is_member_of_any(groups, 'A', 'B')",
            "range(<literal>)", "dict(a=<value>)", "first_of(<name>)",
        ],
    ),
]);

pub(crate) const OUTCOME: Grammar = Grammar(&[
    ("start", &["<status>\0<retry>\0<etag>\0<location>\0<body>"]),
    ("status", &["200", "201", "204", "301", "400", "401", "403", "404", "409", "410", "412", "413", "429", "500", "502", "503", "0", "65535"]),
    ("retry", &["", "3", "Sun, 06 Nov 1994 08:49:37 GMT", "soon"]),
    ("etag", &["", "W/\"1\""]),
    (
        "location",
        &[
            "", "https://app.example.com/scim/v2/Users/2819c223", "/Users/", "/Users/..", "/Users/a%20b", "Users/%2e%2E", "https://x/Users/1?a=b#c",
            "https://x/Users/a%2Fb", "https://x/Users/1",
        ],
    ),
    (
        "body",
        &[
            "", "<html>Not Found</html>", "{\"id\":<id>,<pairs>}", "{\"totalResults\":<number>,\"Resources\":[{\"id\":<id>},{\"id\":<id>}]}",
            "{\"totalResults\":<number>}", "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"status\":<number>,\"scimType\":<type>,\"detail\":<text>}",
            "{\"detail\":\"user already exists\",\"status\":\"400\"}", "{\"response\":{\"detail\":<text>,\"scimType\":<type>}}",
            "{\"Errors\":[{\"description\":<text>,\"code\":<number>}]}", "REQUEST_LIMIT_EXCEEDED", "[]", "{\"id\":<id>,\"meta\":{\"version\":<text>}}",
        ],
    ),
    ("id", &["\"2819c223\"", "\"..\"", "\".\"", "\"a/../../b\"", "\"%2e%2e\"", "\"\"", "7", "null", "\"?x#y\"", "\"\\\\..\\\\\"", "\"\u{e9}\\n\"", "\"1\""]),
    ("type", &["\"uniqueness\"", "\"noTarget\"", "\"own\"", "null", "7"]),
    ("number", &["0", "1", "\"2\"", "-1", "1.5", "\"409\"", "409", "18446744073709551615", "99999", "2"]),
    PLAIN, ATTRIBUTE, SUB, URN, LITERAL, VALUE, TEXT, ELEMENT, PAIRS, PAIR,
]);
