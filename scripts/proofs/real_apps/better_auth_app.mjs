// An app of Better Auth with its SCIM plugin, on SQLite in memory.
//
//   node better_auth_app.mjs PORT TOKEN_FILE   base URL http://127.0.0.1:PORT/api/auth/scim/v2

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { scim } from "@better-auth/scim";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import Database from "better-sqlite3";
import { Kysely, SqliteDialect } from "kysely";

const [port, tokenFile] = process.argv.slice(2);
const token = readFileSync(tokenFile, "utf8").trim();

const options = {
    baseURL: `http://127.0.0.1:${port}`,
    secret: randomBytes(32).toString("hex"),
    telemetry: { enabled: false },
    // The plugin refuses to start without real transactions.
    database: { db: new Kysely({ dialect: new SqliteDialect({ database: new Database(":memory:") }) }), type: "sqlite", transaction: true },
    plugins: [scim({ connections: [{ id: "lockstep", credentials: [{ type: "bearer", id: "proof", token }] }] })],
};

const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);
createServer(toNodeHandler(auth)).listen(Number(port), "127.0.0.1");
