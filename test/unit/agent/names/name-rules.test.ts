// The text of a node's address rules.

import { expect, test } from "vitest";
import { chainOf, rulesText } from "../../../../src/agent/names/name-rules.ts";

const chain = chainOf("node1 /state");
const input = {
  nameServer: "169.254.7.9",
  networks: [{ id: "shop", gateway: "172.18.0.1", subnet: "172.18.0.0/16", nameServerPort: 4053 }],
  plan: {
    addresses: new Map([["shop", ["10.0.0.2"]]]),
    clients: [
      { ip: "172.18.0.5", networkIds: ["shop"], hasNameServers: false },
      { ip: "172.19.0.5", networkIds: [], hasNameServers: false },
    ],
  },
  listeners: new Map([
    ["shop 10.0.0.2 6379", { gateway: "172.18.0.1", port: 4001 }],
    ["other 10.9.0.2 6379", { gateway: "172.20.0.1", port: 4002 }],
  ]),
};

function linesOf(text: string, start: string): readonly string[] {
  return text.split("\n").filter((line) => line.startsWith(start));
}

test("[N434] only the containers of a network are led to its addresses", () => {
  const text = rulesText(chain, input);
  const [network = ""] = linesOf(text, `:${chain}-`);
  const name = network.slice(1).split(" ")[0];
  expect(linesOf(text, `-A ${chain} -s`).filter((line) => line.includes(`-j ${chain}`))).toEqual([
    `-A ${chain} -s 172.18.0.5/32 -j ${name}`,
  ]);
  expect(linesOf(text, `-A ${name} `)).toEqual([
    `-A ${name} -d 10.0.0.2/32 -p tcp --dport 6379 -j DNAT --to-destination 172.18.0.1:4001`,
    `-A ${name} -d 10.0.0.2/32 -p tcp -j DNAT --to-destination 172.18.0.1:1`,
    `-A ${name} -d 10.0.0.2/32 -p udp -j DNAT --to-destination 172.18.0.1:1`,
    `-A ${name} -d 10.0.0.2/32 -p icmp -j DNAT --to-destination 172.18.0.1`,
  ]);
});

test("[N437] a network's containers reach the name server, also behind a firewall", () => {
  const text = rulesText(chain, input);
  for (const protocol of ["udp", "tcp"]) {
    expect(text).toContain(
      `-A ${chain} -s 172.18.0.0/16 -d 169.254.7.9/32 -p ${protocol} --dport 53 -j DNAT --to-destination 172.18.0.1:4053\n`,
    );
  }
  expect(text.slice(text.indexOf("*filter"))).toContain(
    `-A ${chain} -s 172.18.0.0/16 -m conntrack --ctstate DNAT -j ACCEPT\n`,
  );
});

test("[N436] chains that are not used any more are emptied and removed", () => {
  const text = rulesText(chain, input, [`${chain}-old`]);
  expect(text).toContain(`:${chain}-old - [0:0]\n`);
  expect(text).toContain(`-X ${chain}-old\n`);
  expect(chain.length + "-12345678".length).toBeLessThan(29);
});
