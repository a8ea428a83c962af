// Builders: static servers for tests, with every field a test does not care about filled in.

import { type CheckWords, checkOf, type ServerSpec, serverDefaults } from "../../src/domain/server.ts";

/** A server without checks unless `over` says otherwise. */
export function aServerSpec(over: Partial<ServerSpec> = {}): ServerSpec {
  return { ...serverDefaults, name: "node1", host: "10.0.0.1", port: 8080, check: null, ...over };
}

/** A server that is checked. */
export function aCheckedServer(over: Partial<ServerSpec> = {}, words: CheckWords = {}): ServerSpec {
  return aServerSpec({ check: checkOf(words, { tls: false }), ...over });
}
