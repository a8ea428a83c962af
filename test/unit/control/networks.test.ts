// The network routes of the Engine API, and networks in services and tasks.

import { describe, expect, test } from "vitest";
import { TestControl } from "./support.ts";

async function made(control: TestControl, body: object): Promise<string> {
  const { status, json } = await control.ask("POST /networks/create", { body });
  expect([status, json.message]).toEqual([201, undefined]);
  return json.Id;
}

function aBody(name: string, over: object = {}, networks: readonly object[] = []): object {
  return {
    Name: name,
    TaskTemplate: { ContainerSpec: { Image: "nginx:latest" }, Networks: networks },
    Mode: { Replicated: { Replicas: 2 } },
    ...over,
  };
}

const published = { EndpointSpec: { Ports: [{ TargetPort: 80, PublishedPort: 8080 }] } };
const webFilter = encodeURIComponent('{"service":["web"]}');
const filtered = (filters: object): string =>
  `GET /networks?filters=${encodeURIComponent(JSON.stringify(filters))}`;

describe("networks", () => {
  test("[A220] a network is created, listed, inspected by name and id, and removed", async () => {
    const control = new TestControl();
    const id = await made(control, {
      Name: "shop",
      Driver: "overlay",
      Attachable: true,
      Labels: { "com.docker.stack.namespace": "demo" },
      IPAM: { Config: [{ Subnet: "192.168.7.0/24" }] },
    });
    const list = (await control.ask("GET /networks")).json;
    expect(list.map(({ Name }: { Name: string }) => Name)).toEqual(["ingress", "shop"]);
    for (const ref of ["shop", id]) {
      expect((await control.ask(`GET /networks/${ref}?scope=swarm`)).json).toMatchObject({
        Id: id,
        Name: "shop",
        Scope: "swarm",
        Driver: "overlay",
        Attachable: true,
        Ingress: false,
        IPAM: { Driver: "default", Config: [{ Subnet: "192.168.7.0/24", Gateway: "192.168.7.1" }] },
        Labels: { "com.docker.stack.namespace": "demo" },
      });
    }
    expect((await control.ask("DELETE /networks/shop")).status).toBe(204);
    const gone = await control.ask("GET /networks/shop");
    expect([gone.status, gone.json.message]).toEqual([404, "network shop not found"]);
  });

  test("[A220] a taken name is a conflict, and a network with services stays", async () => {
    const control = new TestControl();
    const id = await made(control, { Name: "shop" });
    const again = await control.ask("POST /networks/create", { body: { Name: "shop" } });
    expect([again.status, again.json.message]).toEqual([409, "network with name shop already exists"]);
    const service = await control.ask("POST /services/create", {
      body: aBody("web", {}, [{ Target: "shop" }]),
    });
    const used = await control.ask("DELETE /networks/shop");
    expect([used.status, used.json.message]).toEqual([
      400,
      `rpc error: code = FailedPrecondition desc = network ${id} is in use by service ${service.json.ID}`,
    ]);
    await control.ask("DELETE /services/web");
    expect((await control.ask("DELETE /networks/shop")).status).toBe(204);
  });

  test("[A220] ingress exists and stays; networks of a single engine are not found, with the reason", async () => {
    const control = new TestControl();
    expect((await control.ask("GET /networks/ingress")).json).toMatchObject({
      Ingress: true,
      Scope: "swarm",
    });
    const removed = await control.ask("DELETE /networks/ingress");
    expect([removed.status, removed.json.message]).toEqual([
      400,
      expect.stringContaining("cannot be removed"),
    ]);
    const host = await control.ask("GET /networks/host?scope=swarm");
    expect([host.status, host.json.message]).toEqual([
      404,
      expect.stringContaining("network host not found: a mesh"),
    ]);
  });

  test("[A221] filters select networks by part of name and id, label, driver, scope, type and use", async () => {
    const control = new TestControl();
    const id = await made(control, { Name: "shop_default", Labels: { stack: "shop" } });
    await made(control, { Name: "other" });
    await control.ask("POST /services/create", { body: aBody("web", {}, [{ Target: "shop_default" }]) });
    const named = async (filters: object) =>
      (await control.ask(filtered(filters))).json.map(({ Name }: { Name: string }) => Name);
    expect(await named({ name: { default: true } })).toEqual(["shop_default"]);
    expect(await named({ id: [id.slice(3)] })).toEqual(["shop_default"]);
    expect(await named({ label: ["stack=shop"] })).toEqual(["shop_default"]);
    expect(await named({ driver: ["bridge"] })).toEqual([]);
    expect(await named({ scope: ["swarm"], type: ["builtin"] })).toEqual(["ingress"]);
    expect(await named({ dangling: ["true"] })).toEqual(["other"]);
    expect((await control.ask(filtered({ bogus: ["x"] }))).json.message).toBe("Invalid filter 'bogus'");
    expect((await control.ask(filtered({ type: ["x"] }))).status).toBe(400);
  });

  test.each([
    [{ Driver: "macvlan" }, 'plugin "macvlan" not found'],
    [{ Internal: true }, "Internal"],
    [{ Ingress: true }, "Ingress"],
    [{ EnableIPv6: true }, "EnableIPv6"],
    [{ ConfigOnly: true }, "ConfigOnly"],
    [{ Scope: "local" }, 'Scope is "local"'],
    [{ Options: { encrypted: "" } }, "option encrypted"],
    [{ IPAM: { Driver: "own" } }, 'IPAM.Driver is "own"'],
    [{ IPAM: { Config: [{ Subnet: "10.1.0.0/16" }, { Subnet: "10.2.0.0/16" }] } }, "several subnets"],
    [{ IPAM: { Config: [{ Subnet: "10.1.0.0/16", IPRange: "10.1.1.0/24" }] } }, "set Subnet only"],
    [{ IPAM: { Config: [{ Subnet: "fd00::/64" }] } }, "invalid subnet fd00::/64"],
    [{ IPAM: { Config: [{ Subnet: "10.1.0.0/31" }] } }, "invalid subnet"],
    [{ IPAM: { Config: [{ Subnet: "10.255.3.0/24" }] } }, "Pool overlaps"],
    [{ IPAM: { Config: [{ Subnet: "10.1.0.0/16", Gateway: "10.2.0.1" }] } }, "invalid gateway 10.2.0.1"],
    [{ Name: "" }, "is not a name"],
    [{ Name: "a b" }, "is not a name"],
  ])("[A222] %j is refused, and says what would work", async (over, message) => {
    const control = new TestControl();
    const { status, json } = await control.ask("POST /networks/create", { body: { Name: "shop", ...over } });
    expect([status, json.message]).toEqual([400, expect.stringContaining(message)]);
    expect((await control.ask("GET /networks")).json).toHaveLength(1);
  });

  test("[A222] the driver bridge and options of a driver get a warning", async () => {
    const { json } = await new TestControl().ask("POST /networks/create", {
      body: { Name: "shop", Driver: "bridge", Options: { "com.docker.network.driver.mtu": "1400" } },
    });
    expect(json.Warning).toBe(
      "the network has the driver overlay, because it is on every node; options without an effect: com.docker.network.driver.mtu",
    );
  });

  test("[A223] a service has a virtual address on each network, and its tasks have addresses of their own", async () => {
    const control = new TestControl();
    const id = await made(control, { Name: "shop", IPAM: { Config: [{ Subnet: "10.1.0.0/16" }] } });
    const ingress = (await control.ask("GET /networks/ingress")).json.Id;
    await control.ask("POST /services/create", {
      body: aBody("web", published, [{ Target: "shop", Aliases: ["www"] }]),
    });
    const { Endpoint, Spec } = (await control.ask("GET /services/web")).json;
    expect(Endpoint.VirtualIPs).toEqual([
      { NetworkID: ingress, Addr: "10.255.0.2/16" },
      { NetworkID: id, Addr: "10.1.0.2/16" },
    ]);
    expect(Spec.TaskTemplate.Networks).toEqual([{ Target: id, Aliases: ["www"] }]);
    const tasks = (await control.ask(`GET /tasks?filters=${webFilter}`)).json;
    const addresses = tasks.map((task: { NetworksAttachments: { Addresses: string[] }[] }) =>
      task.NetworksAttachments.map(({ Addresses }) => Addresses),
    );
    expect(addresses.toSorted()).toEqual([
      [["10.255.0.3/16"], ["10.1.0.3/16"]],
      [["10.255.0.4/16"], ["10.1.0.4/16"]],
    ]);
    expect(tasks[0].NetworksAttachments[1].Network).toMatchObject({
      ID: id,
      Spec: { Name: "shop", Scope: "swarm" },
    });
  });

  test("[A223] a service in dnsrr mode has no virtual address", async () => {
    const control = new TestControl();
    await made(control, { Name: "shop" });
    const body = aBody("web", { EndpointSpec: { Mode: "dnsrr" } }, [{ Target: "shop" }]);
    await control.ask("POST /services/create", { body });
    expect((await control.ask("GET /services/web")).json.Endpoint.VirtualIPs).toBeUndefined();
    const [task] = (await control.ask(`GET /tasks?filters=${webFilter}`)).json;
    expect(task.NetworksAttachments).toHaveLength(1);
  });

  test("[A223] an unknown network and ingress are refused; the service is not created", async () => {
    const control = new TestControl();
    const unknown = await control.ask("POST /services/create", {
      body: aBody("web", {}, [{ Target: "nope" }]),
    });
    expect([unknown.status, unknown.json.message]).toEqual([404, "network nope not found"]);
    const ingress = await control.ask("POST /services/create", {
      body: aBody("web", {}, [{ Target: "ingress" }]),
    });
    expect([ingress.status, ingress.json.message]).toEqual([400, expect.stringContaining("ingress network")]);
    expect((await control.ask("GET /services")).json).toEqual([]);
  });

  test("[A224] prune removes unused networks by label; connect and disconnect say what works", async () => {
    const control = new TestControl();
    for (const name of ["used", "old", "kept"]) {
      await made(control, { Name: name, ...(name === "kept" && { Labels: { keep: "1" } }) });
    }
    await control.ask("POST /services/create", { body: aBody("web", {}, [{ Target: "used" }]) });
    const filters = encodeURIComponent('{"label!":["keep"]}');
    const pruned = await control.ask(`POST /networks/prune?filters=${filters}`);
    expect(pruned.json).toEqual({ NetworksDeleted: ["old"] });
    const connect = await control.ask("POST /networks/kept/connect", { body: { Container: "x" } });
    expect([connect.status, connect.json.message]).toEqual([501, expect.stringContaining("--network-add")]);
  });
});
