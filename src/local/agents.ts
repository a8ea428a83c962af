// The agents of a mesh on this machine: one child process per node.

import { join, resolve } from "node:path";
import { type AddressPlan, nodeAddress } from "./addresses.ts";
import type { AgentInput } from "./agent-child.ts";
import { type MeshChild, startChild } from "./child.ts";

export type AgentsOptions = {
  /** Number of nodes. */
  readonly nodes: number;
  readonly stateDir: string;
  readonly logDir: string;
  /** JSON file with further images of the process runtime. */
  readonly images?: string;
};

export type LocalAgent = MeshChild<null> & {
  readonly name: string;
  readonly logFile: string;
  readonly input: AgentInput;
};

/**
 * Starts an agent for each node. If one fails to start, the others are stopped.
 *
 * @param control origin of the control API
 * @param token the operator's token
 */
export async function startAgents(
  options: AgentsOptions,
  plan: AddressPlan,
  control: string,
  token: string,
): Promise<readonly LocalAgent[]> {
  const joinToken = await fetchJoinToken(control, token);
  const starts = nodeNames(options.nodes).map((name, index) => {
    const address = nodeAddress(plan, index + 1);
    return startAgent(options, { url: control, token: joinToken, hostname: name, address });
  });
  const results = await Promise.allSettled(starts);
  const failure = results.find((result) => result.status === "rejected");
  const agents = results.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
  if (failure === undefined) return agents;
  for (const agent of agents) agent.process.kill("SIGINT");
  throw failure.reason;
}

async function startAgent(
  { stateDir, logDir, images }: AgentsOptions,
  node: Omit<AgentInput, "stateDir" | "images">,
): Promise<LocalAgent> {
  const name = node.hostname;
  const input: AgentInput = {
    ...node,
    stateDir: join(stateDir, "nodes", name),
    ...(images !== undefined && { images: resolve(images) }),
  };
  const logFile = join(logDir, `${name}.log`);
  const child = await startChild<null>("./agent-child.ts", `${stateDir}:${name}`, input, logFile);
  return { ...child, name, logFile, input };
}

/** The command line that starts this agent again by hand. */
export function restartCommand({ name, input }: LocalAgent): string {
  return `bin/waggle agent ${input.url} --name ${name} --address ${input.address} --state ${input.stateDir}`;
}

export function nodeNames(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `node${index + 1}`);
}

async function fetchJoinToken(control: string, token: string): Promise<string> {
  const response = await fetch(`${control}/swarm`, { headers: { authorization: `Bearer ${token}` } });
  if (!response.ok)
    throw new Error(`GET ${control}/swarm responded with ${response.status}: ${await response.text()}`);
  const { JoinTokens } = (await response.json()) as { JoinTokens: { Worker: string } };
  return JoinTokens.Worker;
}
