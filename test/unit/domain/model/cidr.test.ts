import { describe, expect, test } from "vitest";
import { contains, parseIp, parseNetwork } from "../../../../src/domain/model/cidr.ts";

describe("addresses", () => {
  test("[X15] IPv4 and IPv6 addresses are read, an IPv4-mapped one as IPv4", () => {
    expect(parseIp("192.0.2.7")).toEqual([192, 0, 2, 7]);
    expect(parseIp("2001:DB8::1")).toEqual([0x20, 1, 0x0d, 0xb8, ...Array(11).fill(0), 1]);
    expect(parseIp("64:ff9b::192.0.2.7")?.slice(-4)).toEqual([192, 0, 2, 7]);
    for (const mapped of ["::ffff:192.0.2.7", "::FFFF:c000:207", "0:0:0:0:0:ffff:192.0.2.7"]) {
      expect(parseIp(mapped)).toEqual([192, 0, 2, 7]);
    }
  });

  test.each([
    "",
    "10.0.0",
    "10.0.0.256",
    "010.0.0.1",
    "1::2::3",
    ":::",
    "12345::",
    "1:2:3:4:5:6:7",
    "::1%eth0",
  ])("[X15] %j is not an address", (text) => {
    expect(parseIp(text)).toBeNull();
  });

  test("[X15] only the last 32 bits of an IPv6 address may be written as IPv4, and :: replaces at least one group", () => {
    expect(parseIp("192.0.2.7::")).toBeNull();
    expect(parseIp("1.2.3.4::1")).toBeNull();
    expect(parseIp("1:2:3:4::5:6:7:8")).toBeNull();
    expect(parseIp("1:2:3::5:6:7:8")).not.toBeNull();
  });
});

describe("networks", () => {
  test("[S14] a prefix is at most as long as an address of its family, and an address alone is a network of one", () => {
    expect(parseNetwork("10.0.0.0/8")).toEqual({ bytes: [10, 0, 0, 0], prefixBits: 8 });
    expect(parseNetwork("192.0.2.7")?.prefixBits).toBe(32);
    expect(parseNetwork("::1")?.prefixBits).toBe(128);
    for (const text of ["10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/8/9", "/8", "010.0.0.0/8"]) {
      expect(parseNetwork(text)).toBeNull();
    }
  });

  test("[X15] a network of IPv4-mapped addresses is the IPv4 network, with a prefix of at least 96 bits", () => {
    expect(parseNetwork("::ffff:0:0/96")).toEqual({ bytes: [0, 0, 0, 0], prefixBits: 0 });
    expect(parseNetwork("::ffff:10.0.0.0/104")).toEqual(parseNetwork("10.0.0.0/8"));
    expect(parseNetwork("::ffff:192.0.2.7")).toEqual(parseNetwork("192.0.2.7"));
    expect(parseNetwork("::ffff:192.0.2.7/128")).toEqual(parseNetwork("192.0.2.7/32"));
    for (const text of ["::ffff:0:0/95", "::ffff:10.0.0.0/8", "::ffff:0:0/129"]) {
      expect(parseNetwork(text)).toBeNull();
    }
  });

  test("[S14] a network contains the addresses of its family that share its prefix", () => {
    const holds = (network: string, address: string) => {
      const [parsed, ip] = [parseNetwork(network), parseIp(address)];
      return parsed !== null && ip !== null && contains(parsed, ip);
    };
    expect(holds("10.128.0.0/9", "10.255.0.1")).toBe(true);
    expect(holds("10.128.0.0/9", "10.127.0.1")).toBe(false);
    expect(holds("2001:db8::/33", "2001:db8:7fff::1")).toBe(true);
    expect(holds("2001:db8::/33", "2001:db8:8000::1")).toBe(false);
    expect(holds("0.0.0.0/0", "2001:db8::1")).toBe(false);
    expect(holds("::ffff:0:0/96", "192.0.2.7")).toBe(true);
    expect(holds("::ffff:10.0.0.0/104", "::ffff:10.1.2.3")).toBe(true);
    expect(holds("::ffff:10.0.0.0/104", "11.1.2.3")).toBe(false);
    expect(holds("::ffff:0:0/96", "2001:db8::1")).toBe(false);
  });
});
