// A process that serves published ports by sockets of its parent: opens those that a message lists, and reports which
// are open and which it cannot take over.

import { InheritedSockets } from "../../src/local/kept-sockets.ts";
import { type DesiredListener, PublishedPorts } from "../../src/local/published-ports.ts";
import { RuntimeAgent } from "../../src/local/runtime-agent.ts";
import { CertificateStore } from "../../src/local/tls/certificate-store.ts";

/** What the program reports after each list. */
export type PortsReport = {
  /** Before it opened any. */
  readonly problem: string | null;
  readonly open: readonly string[];
  readonly log: readonly string[];
};

const [, , certificates = ""] = process.argv;
const log: string[] = [];
const sockets = new InheritedSockets();
const ports = new PublishedPorts(
  new RuntimeAgent({ host: "127.0.0.1", port: 9 }),
  "key",
  (line) => log.push(line),
  () => undefined,
  {},
  null,
  { sockets, certificates: new CertificateStore([certificates], () => undefined) },
);
process.on("message", async (message: { readonly desired?: readonly DesiredListener[] }) => {
  const { desired } = message;
  if (desired === undefined) return;
  const problem = ports.takeoverProblem(desired);
  if (problem === null) await ports.apply(desired);
  const open = desired.filter(({ key }) => ports.portOf(key) !== null).map(({ key }) => key);
  process.send?.({ problem, open, log } satisfies PortsReport);
});
process.once("disconnect", () => process.exit());
