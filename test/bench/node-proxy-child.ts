// The floor of the gateway benchmark, in its own process: the shortest proxies that Node can run. Reports its
// port to the parent.

import { Agent, createServer as createHttpServer, request } from "node:http";
import { type AddressInfo, connect, createServer, type Server } from "node:net";

/** What the child process opens, and the task's address. */
export type NodeProxyOrder = {
  /** `http`: Node's server and client; `copy`: bytes only, one connection for each of the client. */
  readonly kind: "http" | "copy";
  readonly host: string;
  readonly port: number;
};

process.once("message", (order: NodeProxyOrder) => {
  const server = order.kind === "http" ? httpProxy(order) : copyProxy(order);
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
});
process.on("disconnect", () => process.exit(0));

function httpProxy({ host, port }: NodeProxyOrder): Server {
  const agent = new Agent({ keepAlive: true });
  return createHttpServer((incoming, outgoing) => {
    const { method, url, rawHeaders } = incoming;
    const headers = rawHeaders as unknown as string[];
    const upstream = request({ host, port, agent, method, path: url, headers, setHost: false });
    upstream.on("response", (response) => {
      outgoing.writeHead(response.statusCode ?? 502, response.rawHeaders);
      response.pipe(outgoing);
    });
    incoming.pipe(upstream);
  });
}

function copyProxy({ host, port }: NodeProxyOrder): Server {
  return createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host, port, noDelay: true });
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
}
