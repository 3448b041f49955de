//! The grammars of what an endpoint reads besides PATCH bodies and filters: queries, searches, bulk requests.

use super::{
    ATTRIBUTE, COMPARISON, ELEMENT, ESCAPED, FILTER_RULE, INNER, LITERAL, OP, OPERATION, OPERATIONS,
    OPERATOR, PAIR, PAIRS, PLAIN, RESOURCE_RULE, SUB, TEXT, URN, VALUE,
};
use crate::grammar::Grammar;

pub(crate) const DIALECT: Grammar = Grammar(&[
    (
        "start",
        &[
            "{<schemas>\"Operations\":[<operations>]}",
            "{<schemas>\"Operations\":[<bent>]}",
            "{<schemas>\"id\":\"1\",\"operations\":[<bent>,<operation>]}",
            "{<schemas><pairs>,\"userName\":<text>}",
            "{<schemas><bent_pairs>}",
            "{<schemas>\"Operations\":[<bent>]}",
        ],
    ),
    (
        "schemas",
        &[
            "\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:PatchOp\"],",
            "\"schemas\":[\"<urn>\"],",
            "\"schemas\":[\"urn:scim:schemas:core:1.0\",\"<urn>\"],",
            "\"schemas\":null,",
            "",
        ],
    ),
    (
        "bent",
        &[
            "{\"op\":\"Remove\",\"path\":\"members\",\"value\":<listed>}",
            "{\"op\":\"<op>\",\"path\":\"active\",\"value\":\"False\"}",
            "{\"op\":\"<op>\",\"path\":\"manager\",\"value\":<listed>}",
            "{\"op\":\"<op>\",\"path\":\"members\",\"value\":{\"members\":<listed>}}",
            "{\"op\":\"<op>\",\"path\":\"roles[primary eq \\\"True\\\"].<sub>\",\"value\":<text>}",
            "{\"op\":\"<op>\",\"value\":{<bent_pairs>}}",
            "{\"name\":\"x\",\"op\":\"<op>\",\"path\":\"<escaped>\",\"value\":<listed>}",
        ],
    ),
    (
        "listed",
        &["[]", "[null]", "[\"\"]", "[<element>]", "<element>", "<text>", "[<text>,<element>]", "null"],
    ),
    (
        "bent_pairs",
        &[
            "\"name.givenName\":<text>,\"department\":<text>",
            "\"urn:scim:schemas:extension:enterprise:2.0\":{<pair>}",
            "\"id\":<text>,\"members\":<listed>,\"displayName\":<text>",
            "\"emails\":<listed>,\"userName\":<text>",
            "\"<urn>\":{\"manager\":<listed>}",
            "\"active\":\"True\",\"userName\":<text>,\"manager\":<listed>",
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

pub(crate) const QUERY: Grammar = Grammar(&[
    ("start", &["<query>", "<query>\0<search>", "<query>\0<search>\0{<pairs>}", "?<query>&"]),
    ("query", &["<parameter>", "<parameter>&<query>", "<parameter>&<parameter>"]),
    (
        "parameter",
        &[
            "filter=<filter>",
            "filter=userName+eq+%22a%2Bb%22",
            "filter=active eq \"True\"",
            "filter=manager eq <literal>",
            "startIndex=<number>",
            "COUNT=<number>",
            "cursor=<cursor>",
            "sortBy=<plain>&sortOrder=<order>",
            "attributes=<plain>,<attribute>",
            "excludedAttributes=members,<plain>",
            "%zz=%",
        ],
    ),
    ("number", &["0", "-1", "+5", "10", "99999999999999999999", "1.5", "x", "1"]),
    ("cursor", &["", "VZUT", "%00", "a"]),
    ("order", &["ascending", "Descending", "up", ""]),
    (
        "search",
        &[
            "{\"filter\":<text>,\"count\":<number>}",
            "{\"attributes\":[\"<plain>\"],\"sortBy\":\"<plain>\",\"cursor\":\"\"}",
            "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:SearchRequest\"],\"startIndex\":\"3\"}",
            "{<pairs>}",
            "{\"count\":10}",
        ],
    ),
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

pub(crate) const BULK: Grammar = Grammar(&[
    (
        "start",
        &[
            "{\"Operations\":[<operations>]}",
            "{\"failOnErrors\":1,\"operations\":[<operations>]}",
            "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:BulkRequest\"],\"Operations\":[<operations>]}",
            "{\"Operations\":[<operations>]}",
        ],
    ),
    ("operations", &["<operation>", "<operation>,<operations>", "<create>,<operations>", "<create>"]),
    (
        "operation",
        &[
            "<create>",
            "{\"method\":\"PUT\",\"path\":\"/Groups/1\",\"data\":<data>}",
            "{\"method\":\"PATCH\",\"path\":\"/Groups/<reference>\",\"version\":\"W/1\",\"data\":<data>}",
            "{\"method\":\"delete\",\"path\":\"/Users/<id>\"}",
            "{\"method\":\"MOVE\",\"path\":\"Users\"}",
        ],
    ),
    ("create", &["{\"method\":\"POST\",\"path\":\"/Users\",\"bulkId\":\"<id>\",\"data\":<data>}"]),
    (
        "data",
        &[
            "{\"members\":[{\"value\":\"<reference>\"},{\"value\":\"<reference>\"},{\"value\":\"7\"}]}",
            "{\"urn:x:2.0:User\":{\"manager\":{\"value\":\"<reference>\",\"$ref\":\"../Users/<reference>\"}}}",
            "{\"displayName\":\"<reference>\"}",
            "\"<reference>\"",
            "{\"userName\":\"a\"}",
        ],
    ),
    ("reference", &["bulkId:<id>", "BULKID:<id>", "bulkId:", "<id>", "bulkId:<id>"]),
    ("id", &["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]),
]);
