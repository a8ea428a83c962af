import { expect, test } from "vitest";
import { clientAddress } from "../../../src/control/client-address.ts";
import { readTrusted } from "../../../src/proxy/http/trust.ts";

const trusts = readTrusted("127.0.0.1, 10.0.0.0/8");

test("[M64] an agent's address is that of its connection, whatever it claims", () => {
  expect(clientAddress("192.0.2.7", "10.0.0.5", trusts)).toBe("192.0.2.7");
  expect(clientAddress("2001:db8::7", null, trusts)).toBe("2001:db8::7");
  expect(clientAddress(null, "192.0.2.7", trusts)).toBeNull();
  expect(clientAddress("unknown", null, trusts)).toBeNull();
});

test("[M64] behind trusted proxies it is the last address that no trusted proxy has", () => {
  expect(clientAddress("127.0.0.1", "192.0.2.7", trusts)).toBe("192.0.2.7");
  expect(clientAddress("127.0.0.1", "192.0.2.66, 192.0.2.7, 10.1.1.1", trusts)).toBe("192.0.2.7");
  expect(clientAddress("127.0.0.1", null, trusts)).toBeNull();
  expect(clientAddress("127.0.0.1", "192.0.2.7, not-an-address", trusts)).toBeNull();
});
