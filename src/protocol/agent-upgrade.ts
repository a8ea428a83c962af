// The headers with which an agent asks for a WebSocket, for both of its routes.

import { isAcceptedProtocol, protocolVersion } from "./agent.ts";

/** Has the join token that an agent was started with, for a mesh that does not know its node. */
export const joinTokenHeader = "x-waggle-join-token";

/** Who an agent says it is; not checked yet. */
export type AgentClaim = {
  readonly nodeId: string;
  readonly credential: string;
  readonly joinToken: string | null;
};

/** Why an upgrade is refused: an HTTP status and a sentence. */
export type UpgradeRefusal = { readonly status: 400 | 401 | 426 | 503; readonly message: string };

/** Reads the headers of an agent's upgrade. */
export function readAgentUpgrade(headers: Headers): AgentClaim | UpgradeRefusal {
  const offered = headers.get("x-waggle-protocol");
  if (offered === null || !/^\d{1,9}$/.test(offered) || !isAcceptedProtocol(Number(offered))) {
    const version = offered === null ? "none" : offered.slice(0, 20);
    const message = `this mesh speaks agent protocol ${protocolVersion}, the agent offered ${version}`;
    return { status: 426, message };
  }
  const nodeId = headers.get("x-waggle-node") ?? "";
  if (!/^[0-9a-z]{25}$/.test(nodeId))
    return { status: 400, message: "x-waggle-node: 25 characters 0-9a-z are expected" };
  const credential = /^Bearer (\S{1,200})$/i.exec(headers.get("authorization") ?? "")?.[1];
  if (credential === undefined) return wrongCredential(nodeId);
  return { nodeId, credential, joinToken: headers.get(joinTokenHeader) };
}

/** The refusal of an agent that is not the node's. */
export function wrongCredential(nodeId: string): UpgradeRefusal {
  return { status: 401, message: `node ${nodeId} is not a member or its credential is wrong: join again` };
}

/**
 * The refusal of an agent by a mesh that never had a node. The agent keeps its tasks and tries again: a restore may
 * bring its node.
 */
export function unknownToNewMesh(nodeId: string): UpgradeRefusal {
  return {
    status: 503,
    message: `this mesh is new and has no nodes: node ${nodeId} can connect once a backup that has it is restored, or once its agent is started with a join token of this mesh`,
  };
}
