import { expect, test } from "vitest";
import { readTrusted } from "../../../../src/proxy/http/trust.ts";

test("[X15] an address is trusted if the list has it or a network that contains it", () => {
  const trusts = readTrusted("10.0.0.0/8, 192.0.2.7 ,2001:db8::/33, ::1");
  expect(
    ["10.0.0.1", "10.255.255.255", "192.0.2.7", "2001:db8:7fff::1", "::1", "::ffff:10.1.2.3"].filter(trusts),
  ).toHaveLength(6);
  expect(
    ["11.0.0.1", "192.0.2.8", "2001:db8:8000::1", "::2", "unknown", "", "10.0.0", "10.0.0.256"].filter(
      trusts,
    ),
  ).toEqual([]);
});

test("[X15] an empty list trusts no address, and /0 every address of its family", () => {
  expect(readTrusted(" ")("127.0.0.1")).toBe(false);
  expect(readTrusted("0.0.0.0/0")("8.8.8.8")).toBe(true);
  expect(readTrusted("0.0.0.0/0")("2001:db8::1")).toBe(false);
});

test.each(["10.0.0.0/33", "10.0.0/8", "example.com", "::/129", "1::2::3", "10.0.0.0/", "12345::"])(
  "[X15] %s is refused with the entry",
  (entry) => {
    expect(() => readTrusted(`127.0.0.1,${entry}`)).toThrow(`cannot read trusted proxy "${entry}"`);
  },
);
