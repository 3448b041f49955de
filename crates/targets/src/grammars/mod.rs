//! The grammars of the targets: mostly well formed, with wrong names, types and places strewn in.

mod endpoint;
mod formats;
mod request;

pub(crate) use endpoint::{BULK, DIALECT, QUERY};
pub(crate) use formats::{CSV, EXPRESSION, OUTCOME, RETRY_AFTER};
pub(crate) use request::REQUEST;

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
        "userName",
        "USERNAME",
        "name",
        "emails",
        "phoneNumbers",
        "addresses",
        "roles",
        "members",
        "groups",
        "active",
        "title",
        "displayName",
        "externalId",
        "id",
        "meta",
        "schemas",
        "x509Certificates",
        "entitlements",
        "department",
        "manager",
        "employeeNumber",
        "password",
        "shoeSize",
        "not",
        "nickName",
    ],
);
const SUB: Rule = (
    "sub",
    &[
        "value",
        "type",
        "primary",
        "display",
        "$ref",
        "givenName",
        "lastModified",
        "country",
        "VALUE",
        "formatted",
        "displayName",
        "x",
    ],
);
const PLAIN: Rule = (
    "plain",
    &["<attribute>", "<attribute>.<sub>", "<urn>:<attribute>", "<urn>:<attribute>.<sub>", "<urn>", "<sub>"],
);
const OPERATOR: Rule = ("operator", &["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ", "is"]);
const LITERAL: Rule = (
    "literal",
    &[
        "\"work\"",
        "\"bjensen@example.com\"",
        "\"2819c223\"",
        "\"STRASSE\"",
        "\"\"",
        "\"2011-05-13T04:42:34Z\"",
        "\"a\\\"b\\\\\\u00e9\"",
        "\"\u{130}\"",
        "true",
        "False",
        "null",
        "7",
        "-0",
        "1e15",
        "-1.5E-7",
        "18446744073709551615",
        "\"True\"",
    ],
);
const FILTER_RULE: Rule = (
    "filter",
    &[
        "<comparison>",
        "<filter> and <filter>",
        "<filter> or <filter>",
        "not (<filter>)",
        "(<filter>)",
        "NOT(<filter>)",
        "<attribute>[<inner>]",
        "<attribute>[<inner>].<sub> <operator> <literal>",
        "<attribute>[<inner>].<sub> pr",
        "<comparison>",
    ],
);
const COMPARISON: Rule = ("comparison", &["<plain> <operator> <literal>", "<plain> pr"]);
const INNER: Rule = (
    "inner",
    &[
        "<sub> <operator> <literal>",
        "<inner> and <inner>",
        "<inner> or <inner>",
        "not (<inner>)",
        "<sub> pr",
        "<sub> eq <literal>",
    ],
);
const SELECTED: Rule = (
    "selected",
    &[
        "<plain>",
        "<attribute>[<inner>]",
        "<attribute>[<inner>].<sub>",
        "<urn>:<attribute>[<inner>].<sub>",
        "<plain>",
    ],
);

/// JSON: values, and resources whose names and types are often right.
const VALUE: Rule = (
    "value",
    &[
        "<text>",
        "<literal>",
        "<element>",
        "[<element>]",
        "[<element>,<element>,<element>]",
        "{<pairs>}",
        "[]",
        "{}",
        "[[<value>]]",
        "[<value>,null]",
        "<text>",
    ],
);
const TEXT: Rule =
    ("text", &["\"work\"", "\"a\"", "\"A\"", "\"2819c223\"", "\"\"", "\"true\"", "\"\u{e9}\u{1f600}\""]);
const ELEMENT: Rule = (
    "element",
    &[
        "{\"value\":<text>}",
        "{\"value\":<text>,\"type\":<text>}",
        "{\"value\":<text>,\"type\":<text>,\"primary\":true}",
        "{\"VALUE\":<text>,\"primary\":false,\"display\":<text>}",
        "{<pairs>}",
        "{\"$ref\":<text>}",
        "{\"value\":\"a\"}",
    ],
);
const PAIRS: Rule = ("pairs", &["<pair>", "<pair>,<pairs>", "<pair>"]);
const PAIR: Rule = (
    "pair",
    &[
        "\"<attribute>\":<value>",
        "\"<sub>\":<value>",
        "\"userName\":<text>",
        "\"name\":{\"givenName\":<text>,\"familyName\":<text>}",
        "\"emails\":[<element>,<element>]",
        "\"active\":true",
        "\"displayName\":<text>",
        "\"members\":[<element>,<element>]",
        "\"<urn>\":{<pairs>}",
        "\"<urn>:<attribute>\":<value>",
        "\"<attribute>.<sub>\":<value>",
        "\"title\":<text>",
    ],
);
const RESOURCE_RULE: Rule = (
    "resource",
    &[
        "{\"userName\":<text>,<pairs>}",
        "{\"displayName\":<text>,<pairs>}",
        "{<pairs>}",
        "{\"schemas\":[\"<urn>\"],\"userName\":<text>}",
    ],
);
const OPERATIONS: Rule = ("operations", &["<operation>", "<operation>,<operations>", "<operation>"]);
const OPERATION: Rule = (
    "operation",
    &[
        "{\"op\":\"<op>\",\"path\":\"<escaped>\",\"value\":<value>}",
        "{\"op\":\"<op>\",\"value\":{<pairs>}}",
        "{\"op\":\"remove\",\"path\":\"<escaped>\"}",
        "{\"op\":\"<op>\",\"path\":\"<plain>\",\"value\":[<element>,<element>]}",
        "{\"op\":\"<op>\",\"path\":\"emails[type eq \\\"work\\\"].<sub>\",\"value\":<text>}",
        "{\"op\":\"remove\",\"path\":\"members\",\"value\":[<element>]}",
        "{\"op\":\"<op>\",\"path\":\"<attribute>\",\"value\":<value>}",
    ],
);
const OP: Rule = ("op", &["add", "remove", "replace", "Replace", "ADD", "move"]);
/// A path whose quotes are escaped, since it stands in a text itself.
const ESCAPED: Rule = (
    "escaped",
    &[
        "<plain>",
        "<attribute>[<sub> eq \\\"work\\\"]",
        "<attribute>[<sub> <operator> \\\"a\\\"].<sub>",
        "<attribute>[<sub> pr]",
        "members[value eq \\\"2819c223\\\"]",
        "<attribute>[not (<sub> eq \\\"a\\\") and primary eq true].<sub>",
        "<urn>:<attribute>",
        "<plain>",
    ],
);

pub(crate) const FILTER: Grammar = Grammar(&[
    ("start", &["<filter>", "<filter>\0{<pairs>}", "<filter>"]),
    FILTER_RULE,
    COMPARISON,
    INNER,
    PLAIN,
    ATTRIBUTE,
    SUB,
    URN,
    OPERATOR,
    LITERAL,
    VALUE,
    TEXT,
    ELEMENT,
    PAIRS,
    PAIR,
]);

pub(crate) const PATH: Grammar = Grammar(&[
    ("start", &["<selected>", "<selected>\0{<pairs>}", "<selected>"]),
    SELECTED,
    INNER,
    PLAIN,
    ATTRIBUTE,
    SUB,
    URN,
    OPERATOR,
    LITERAL,
    VALUE,
    TEXT,
    ELEMENT,
    PAIRS,
    PAIR,
]);

pub(crate) const PATCH: Grammar = Grammar(&[
    (
        "start",
        &[
            "{\"Operations\":[<operations>]}",
            "{\"Operations\":[<operations>]}\0<resource>",
            "{\"Operations\":[<operation>]}",
        ],
    ),
    OPERATIONS,
    OPERATION,
    OP,
    ESCAPED,
    RESOURCE_RULE,
    PLAIN,
    ATTRIBUTE,
    SUB,
    URN,
    OPERATOR,
    LITERAL,
    VALUE,
    TEXT,
    ELEMENT,
    PAIRS,
    PAIR,
]);

pub(crate) const RESOURCE: Grammar = Grammar(&[
    (
        "start",
        &[
            "<resource>",
            "<resource>\0<plain>,<plain>",
            "<resource>\0\0<plain>,<plain>",
            "<resource>\0<plain>\0<plain>",
            "<resource>",
        ],
    ),
    RESOURCE_RULE,
    PLAIN,
    ATTRIBUTE,
    SUB,
    URN,
    LITERAL,
    VALUE,
    TEXT,
    ELEMENT,
    PAIRS,
    PAIR,
]);
