// `waggle server add`: adds a static server to a service, and can create the service.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { refused } from "../errors.ts";
import { connect, listFlag, type MeshFlags, meshFlags } from "../flags.ts";
import { printJson } from "../json.ts";
import { type PublishSpec, parsePublish } from "../publish.ts";
import { staticSpec } from "../service/static-spec.ts";
import { engineChange, engineService, listOf, serverStatus } from "../shapes.ts";
import { readLabel } from "../values.ts";
import { adminFlag, readAddress, type ServerFlags, serverFlags, withFlags } from "./flags.ts";

type Flags = MeshFlags &
  ServerFlags & {
    readonly admin?: string;
    readonly publish?: readonly PublishSpec[];
    readonly label?: readonly (readonly [string, string])[];
  };

const serverAddHelp = `
Examples:
  waggle server add my-web node1 172.31.46.128:8080 --check --publish 8080
  waggle server add my-web node2 172.31.46.129:8080 --check --inter 2s --rise 2 --fall 3 --weight 2
  waggle server add my-web spare spare.example.com:8080 --backup --httpchk 'GET /health HTTP/1.1' --expect 'status 200'

--publish and --label create the service, which has servers and no tasks. Omit them if it exists.
On Cloudflare an address must be a DNS name: fetch to an IP address fails there (error 1003).`;

export function registerServerAdd(parent: Command, cli: Cli): void {
  const command = parent
    .command("add")
    .argument("<service>", "service that sends requests to the server")
    .argument("<name>", "server name")
    .argument("<address>", "server address: HOST:PORT")
    .summary("add a static server to a service")
    .description("Add a static server to a service, like HAProxy's `server NAME ADDRESS check`.");
  serverFlags(command, "add")
    .addOption(adminFlag())
    .addOption(
      listFlag("-p, --publish <port>", "create the service and publish it on this port", (text) =>
        parsePublish(/^\d+$/.test(text) ? `${text}:${text}` : text),
      ),
    )
    .addOption(
      listFlag("-l, --label <key=value>", "create the service with this label; repeatable", (text) => [
        readLabel(text),
      ]),
    );
  meshFlags(command)
    .addHelpText("after", serverAddHelp)
    .action((service: string, name: string, address: string, flags: Flags) =>
      add(cli, command, { service, name, address, flags }),
    );
}

type AddInput = {
  readonly service: string;
  readonly name: string;
  readonly address: string;
  readonly flags: Flags;
};

async function add(cli: Cli, command: Command, { service, name, address, flags }: AddInput): Promise<void> {
  const { admin, publish, label } = flags;
  const server = withFlags({ name, ...readAddress(address) }, flags);
  const mesh = await connect(command, cli);
  if (publish !== undefined || label !== undefined) {
    const services = await mesh.get("/services", listOf(engineService));
    if (services.some(({ ID, Spec }) => Spec.Name === service || ID === service)) {
      throw refused(`service ${service} already exists`, "omit --publish and --label to add a server to it");
    }
    await mesh.post("/services/create", staticSpec(service, publish ?? [], label ?? []), engineChange);
  }
  const body = { service, server, ...(admin !== undefined && { admin }) };
  const added = await mesh.postNative("/mesh/servers", body, serverStatus);
  if (flags.json) printJson(cli.out, added);
  else cli.out.write(`${service}/${name}\n`);
}
