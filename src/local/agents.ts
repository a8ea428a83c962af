// The agents of a mesh on this machine: one child process per node.

import { join, resolve } from "node:path";
import { type AddressPlan, nodeAddress } from "./addresses.ts";
import type { AgentInput } from "./agent-child.ts";
import { nodeTestName } from "./platform/test-names.ts";
import { nodesFolder } from "./state-folder.ts";
import { type ChildContext, SupervisedChild } from "./supervised-child.ts";

export type AgentsOptions = {
  /** Number of nodes. */
  readonly nodes: number;
  readonly stateDir: string;
  readonly logDir: string;
  /** JSON file with further images of the process runtime. */
  readonly images?: string;
  readonly runtime: "process" | "docker";
  /** The certificate of all gateways, whose nodes then have names of the test zone. Null: they have addresses. */
  readonly gatewayTls: AgentInput["gatewayTls"] | null;
};

/** A join token for each role of a node. */
export type NodeJoinTokens = { readonly worker: string; readonly manager: string };

/** How the agents join. */
type AgentJoin = Pick<AgentInput, "url"> & { readonly tokens: NodeJoinTokens };

export type LocalAgent = SupervisedChild<null>;

/**
 * Starts an agent for each node. If one fails to start, the others are stopped. As in a new Swarm, the first node
 * is a manager, for stack files that pin services to one.
 *
 * @see docs/decisions/0094-managers-are-a-placement.md
 */
export async function startAgents(
  options: AgentsOptions,
  plan: AddressPlan,
  { url, tokens }: AgentJoin,
  context: ChildContext,
): Promise<readonly LocalAgent[]> {
  const starts = nodeNames(options.nodes).map((hostname, index) =>
    startAgent(
      options,
      {
        url,
        token: index === 0 ? tokens.manager : tokens.worker,
        hostname,
        ...placeOf(options, plan, index + 1),
        // The nodes share a daemon; one of them reports what runs there without the mesh.
        discovers: index === 0,
      },
      context,
    ),
  );
  const results = await Promise.allSettled(starts);
  const failure = results.find((result) => result.status === "rejected");
  const agents = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  if (failure === undefined) return agents;
  await Promise.all(agents.map((agent) => agent.stop("SIGINT")));
  throw failure.reason;
}

/** Where the node's gateway is, and what it proves that with. */
function placeOf({ gatewayTls }: AgentsOptions, plan: AddressPlan, ordinal: number) {
  const address = nodeAddress(plan, ordinal);
  if (gatewayTls === null || gatewayTls === undefined) return { address };
  return { address: nodeTestName(ordinal), gatewayListen: address, gatewayTls };
}

/**
 * An agent that exits is started again and finds its tasks, which keep running.
 *
 * @see docs/decisions/0007-tasks-outlive-their-agent.md
 */
function startAgent(
  { stateDir, logDir, images, runtime }: AgentsOptions,
  node: Omit<AgentInput, "stateDir" | "images" | "runtime">,
  context: ChildContext,
): Promise<LocalAgent> {
  const name = node.hostname;
  const input: AgentInput = {
    ...node,
    runtime,
    stateDir: join(nodesFolder(stateDir), name),
    ...(images !== undefined && { images: resolve(images) }),
  };
  const program = {
    module: "agent-child" as const,
    name: `${stateDir}:${name}`,
    input,
    logFile: join(logDir, `${name}.log`),
    title: `the agent of ${name}`,
    onReady: () => {},
  };
  return SupervisedChild.start(program, context);
}

export function nodeNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `node${index + 1}`);
}
