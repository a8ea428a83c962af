// The exit of a machine: a gateway in the process of the listeners, through which its data plane reaches static
// servers with requests that `fetch` would change, or might send on a connection that is about to end.

import { createHmac, randomBytes } from "node:crypto";
import { Gateway, type GatewayTask } from "../agent/gateway/gateway.ts";
import { endpointOfOrigin } from "../agent/gateway/task-connection.ts";
import type { RoutingTable, TableServer } from "../domain/table/table.ts";
import { exitKeyId, exitNodeId, nodeKeyText } from "../gateway/attempt.ts";
import type { ExitAccess } from "../proxy/plane.ts";

/**
 * A gateway on loopback whose tasks are the static servers of the routing table. An attempt names a server by
 * its id; where that is, only the table says.
 *
 * @see docs/decisions/0084-exit-for-static-servers.md
 */
export class ServerExit {
  readonly access: ExitAccess;
  readonly #gateway: Gateway;
  readonly #servers: Map<string, GatewayTask>;

  private constructor(gateway: Gateway, secret: string, servers: Map<string, GatewayTask>) {
    this.access = { url: `http://127.0.0.1:${gateway.port}`, secret };
    this.#gateway = gateway;
    this.#servers = servers;
  }

  /** Opens a port with a new secret. @param maxDescriptors of its connections */
  static async open(maxDescriptors: number, log: (line: string) => void): Promise<ServerExit> {
    const secret = randomBytes(32).toString("base64url");
    const key = createHmac("sha256", secret).update(nodeKeyText(exitNodeId)).digest();
    const keys = [{ id: exitKeyId, key }];
    const servers = new Map<string, GatewayTask>();
    const gateway = await Gateway.open("127.0.0.1", 0, {
      keys: () => keys,
      task: (serverId) => servers.get(serverId) ?? null,
      clocks: { wallMs: Date.now, registryMs: () => null, monotonicMs: () => performance.now() },
      log: (line) => log(`static servers: ${line}`),
      maxDescriptors,
    });
    return new ServerExit(gateway, secret, servers);
  }

  /** Replaces the servers by those of a table. Open requests go on. */
  setTable({ services }: RoutingTable): void {
    this.#servers.clear();
    for (const { ports, servers = [] } of services) {
      for (const server of servers) this.#servers.set(server.id, asTask(server, ports));
    }
  }

  /** Ends all connections. */
  close(): Promise<void> {
    return this.#gateway.close(0);
  }
}

/** A server serves every target port of its service at its one address. */
function asTask({ origin }: TableServer, ports: readonly { readonly target: number }[]): GatewayTask {
  const endpoint = endpointOfOrigin(origin);
  return { ports: new Map(ports.map(({ target }) => [target, endpoint])), accepts: true };
}
