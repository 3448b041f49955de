// An app of scimmy-routers on Express 4: the library speaks SCIM, this file is the store behind it: users and groups in memory.
//
//   node scimmy_app.mjs PORT TOKEN_FILE        base URL http://127.0.0.1:PORT/scim

import { readFileSync } from "node:fs";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const [port, tokenFile] = process.argv.slice(2);
const token = readFileSync(tokenFile, "utf8").trim();
const users = new Map();
const groups = new Map();
const names = new Map(); // userName in lower case -> id
let lastId = 0;

/** Creates or replaces a resource in `store`, under the id of the request or a new one. */
function put(store, id, attributes) {
    if (id && !store.has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
    const now = new Date().toISOString();
    const created = store.get(id)?.meta.created ?? now;
    const key = id ?? `${++lastId}`;
    store.set(key, { ...attributes, id: key, meta: { created, lastModified: now } });
    return store.get(key);
}

/** One resource by id, or those that the filter matches. */
function get(store, resource) {
    if (!resource.id) return resource.filter ? resource.filter.match([...store.values()]) : [...store.values()];
    if (!store.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
    return store.get(resource.id);
}

SCIMMY.Schemas.User.definition.extend(SCIMMY.Schemas.EnterpriseUser.definition, false);

SCIMMY.Resources.declare(SCIMMY.Resources.User)
    .ingress((resource, data) => {
        const attributes = JSON.parse(JSON.stringify(data));
        const name = attributes.userName.toLowerCase();
        const taken = names.get(name);
        if (taken !== undefined && taken !== resource.id) throw new SCIMMY.Types.Error(409, "uniqueness", `userName ${name} is taken`);
        const before = users.get(resource.id)?.userName.toLowerCase();
        const user = put(users, resource.id, attributes);
        names.delete(before);
        names.set(name, user.id);
        return user;
    })
    .egress((resource) => get(users, resource))
    .degress((resource) => {
        names.delete(get(users, resource).userName.toLowerCase());
        users.delete(resource.id);
        for (const group of groups.values()) group.members = group.members.filter(({ value }) => value !== resource.id);
    });

SCIMMY.Resources.declare(SCIMMY.Resources.Group)
    .ingress((resource, data) => {
        const attributes = JSON.parse(JSON.stringify(data));
        const ids = [...new Set((attributes.members ?? []).map(({ value }) => value))];
        const unknown = ids.find((id) => !users.has(id));
        if (unknown) throw new SCIMMY.Types.Error(400, "invalidValue", `member ${unknown} does not exist`);
        return put(groups, resource.id, { ...attributes, members: ids.map((value) => ({ value })) });
    })
    .egress((resource) => get(groups, resource))
    .degress((resource) => {
        get(groups, resource);
        groups.delete(resource.id);
    });

const routers = new SCIMMYRouters({
    type: "bearer",
    handler: (request) => {
        if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("this token is not accepted");
        return "provisioning";
    },
});
express().use("/scim", routers).listen(Number(port), "127.0.0.1");
