// Which lines of proxies HAProxy refuses in which sections. In others it ignores them with a warning.

/** Lines that a `defaults` section cannot have. */
const notInDefaults: ReadonlySet<string> = new Set([
  ...["bind", "capture request", "capture response", "declare", "description", "dispatch", "filter"],
  ...["force-persist", "guid", "id", "ignore-persist", "monitor", "redirect", "server", "server-template"],
  ...[
    "stats admin",
    "stats http-request",
    "stick",
    "stick-table",
    "use-fcgi-app",
    "use-server",
    "use_backend",
  ],
]);

/** Lines that a `defaults` section can have only if it has a name. */
const namedDefaultsOnly: ReadonlySet<string> = new Set([
  ...["acl", "http-after-response", "http-request", "http-response", "tcp-request", "tcp-response"],
]);

/** Lines that need the frontend or the backend half of a proxy. */
const notInBackend: ReadonlySet<string> = new Set([
  "declare",
  "tcp-request connection",
  "tcp-request session",
]);
const notInFrontend: ReadonlySet<string> = new Set([
  ...["default-server", "dispatch", "http-request set-timeout", "retry-on", "server", "server-template"],
  "tcp-response content",
]);

/** True if HAProxy accepts the line in a section of this kind, at most with a warning. */
export function isAllowedIn(
  kind: string,
  name: string,
  [head = "", second = ""]: readonly string[],
): boolean {
  const isIn = (lines: ReadonlySet<string>) => lines.has(head) || lines.has(`${head} ${second}`);
  if (kind === "defaults") return !isIn(notInDefaults) && (name !== "" || !isIn(namedDefaultsOnly));
  return !(kind === "backend" && isIn(notInBackend)) && !(kind === "frontend" && isIn(notInFrontend));
}
