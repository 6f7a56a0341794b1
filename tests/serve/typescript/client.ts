// A TypeScript client, generated from the server's OpenAPI document (schema.d.ts), asks for services: what does not fit the
// document does not compile.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

const [url, key, subject] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { "X-Api-Key": key, "Accept-Language": "en" } });

function expect(holds: boolean, what: unknown): asserts holds {
  if (!holds) throw new Error(JSON.stringify(what));
}

const asked = { path: { kind: "person", id: subject }, header: { Purpose: "casework" } };
const found = await client.GET("/v1/subjects/{kind}/{id}/services", { params: asked });
expect(found.data !== undefined, found.error);
const services: components["schemas"]["Services"] = found.data;
expect(services.services.length > 0, services);
for (const service of services.services) {
  const standing: components["schemas"]["ServiceStanding"] = service.standing;
  expect(standing.length > 0 && service.policy.length > 0, service);
}

const nobody = await client.GET("/v1/subjects/{kind}/{id}/services", { params: { ...asked, path: { kind: "person", id: "x" } } });
const problem: components["schemas"]["Problem"] | undefined = nobody.error;
expect(problem?.status === 404 && nobody.response.status === 404, problem);

const judged = await client.POST("/v1/evaluate", {
  body: {
    subject: "person",
    as_of: "2026-03-01",
    policies: ["990100-MZ-0007"],
    facts: { birth_date: "1946-03-31", hukou_region: "990102", deceased: false },
  },
});
expect(judged.data?.policies[0]?.verdict === "yes" && judged.data.policies[0].amount === "60.00", judged.data ?? judged.error);
console.log(`${services.services.length} services, one problem, one verdict: as the document says`);
