// The process that runs one agent of a mesh on this machine. It stops when its parent, `waggle up`, ends.

import { type AgentOptions, defaultAgentOptions, runAgent } from "../agent/agent.ts";
import { prepareChild, sendToParent } from "./child.ts";

export type AgentInput = Pick<
  AgentOptions,
  | "url"
  | "stateDir"
  | "hostname"
  | "address"
  | "images"
  | "runtime"
  | "discovers"
  | "gatewayListen"
  | "gatewayTls"
> & {
  readonly token: string;
};

prepareChild();
process.once("message", async (input: AgentInput) => {
  // Without its parent the agent stops as on Ctrl-C.
  const interrupt = (): boolean => process.kill(process.pid, "SIGINT");
  process.once("disconnect", interrupt);
  let isReady = false;
  const onAssigned = (): void => {
    if (!isReady) void sendToParent({ ready: null });
    isReady = true;
  };
  process.exitCode = await runAgent({
    ...defaultAgentOptions,
    ...input,
    // Several meshes on this machine have nodes at one address.
    gatewayPort: 0,
    onAssigned,
    log: console.log,
  });
  process.off("disconnect", interrupt);
  if (process.connected) process.disconnect();
});
