"""What must never be answered with 200."""

from wire import quoted

# Operations on a user. None of them may be guessed into something.
USER_FAULTS = [
    {"op": "frobnicate", "path": "title", "value": "x"},
    {"path": "title", "value": "x"},
    {"op": "replace", "path": 'emails[type eq "work"', "value": "x"},
    {"op": "replace", "path": "emails[", "value": "x"},
    {"op": "replace", "path": 'emails[type xx "work"].value', "value": "x"},
    {"op": "replace", "path": "title..x", "value": "x"},
    {"op": "replace", "path": "title title", "value": "x"},
    {"op": "replace", "path": "active", "value": "maybe"},
    {"op": "replace", "path": "active", "value": 7},
    {"op": "replace", "path": "userName", "value": ""},
    {"op": "replace", "path": "userName", "value": None},
    {"op": "replace", "path": "userName", "value": {"x": 1}},
    {"op": "replace", "path": "title", "value": {"x": 1}},
    {"op": "replace", "path": "title", "value": 7},
    {"op": "replace", "path": "id", "value": "x"},
    {"op": "remove", "path": "userName"},
    {"op": "remove"},
    {"op": "remove", "path": ""},
    {"op": "add", "value": "x"},
    "x",
]

# Operations on a group.
GROUP_FAULTS = [
    {"op": "add", "path": "members", "value": [{"value": "nobody-ever-issued-this"}]},
    {"op": "add", "path": "members", "value": [{"value": 7}]},
    {"op": "add", "path": "members", "value": [{"display": "no value"}]},
    {"op": "replace", "path": "members", "value": [{"value": "nobody-ever-issued-this"}]},
    {"op": "replace", "path": "displayName", "value": ""},
    {"op": "replace", "path": "displayName", "value": None},
    {"op": "remove", "path": "displayName"},
    {"op": "remove", "path": "members[value eq"},
    {"op": "remove", "path": 'members[value eq "x"'},
    {"op": "remove"},
    {"op": "wipe", "path": "members"},
]

FILTERS = [
    "userName eq", "userName xx \"a\"", "nosuch eq \"a\"", "(userName eq \"a\"", "userName eq \"a\" and", "userName eq \"a", "eq \"a\"",
    "userName", "userName eq a", "not userName eq \"a\"", "active gt true", "userName eq \"a\")", "userName eq \"a\" userName eq \"b\"",
    "emails[type eq \"work\"", "emails[nosuch eq \"x\"]", "name.nosuch eq \"x\"", "userName eq \"\\x\"", "meta.lastModified gt \"yesterday\"",
]

# Lists whose filter or parameters are wrong.
LIST_FAULTS = [f"/Users?filter={quoted(text)}" for text in FILTERS] + [
    "/Groups?filter=" + quoted("members.nosuch eq \"x\""),
    "/Users?cursor=not-one-of-ours",
    "/Users?sortBy=" + quoted("emails[") ,
]
