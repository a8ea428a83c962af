import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { sqlDatabaseOf } from "../../../workers/storage.ts";
import { storeContract } from "../../support/store-contract.ts";

let made = 0;

storeContract("a Durable Object's storage", async (work) => {
  made += 1;
  await runInDurableObject(env.REGISTRY.getByName(`store ${made}`), async (_object, { storage }) => {
    // The object has founded its mesh already; the contract starts from nothing.
    await storage.deleteAll();
    work(sqlDatabaseOf(storage));
  });
});
