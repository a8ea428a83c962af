import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { sqlDatabaseOf } from "../../../workers/storage.ts";
import { storeContract } from "../../support/store-contract.ts";

let objectCount = 0;

storeContract("a Durable Object's storage", async (work) => {
  objectCount += 1;
  await runInDurableObject(env.REGISTRY.getByName(`store ${objectCount}`), async (_object, { storage }) => {
    // The object has created its mesh; the contract starts from an empty database.
    await storage.deleteAll();
    work(sqlDatabaseOf(storage));
  });
});
