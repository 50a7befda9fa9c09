// What Microsoft's client for Node sees of a mailbox: every event by pages, an online meeting, a batch. Prints JSON.
//
//   node graph.mjs BASE_URL TOKEN USER_ID
import { Client, HTTPMessageHandler } from "@microsoft/microsoft-graph-client";

const [base, token, user] = process.argv.slice(2);
// The client's own sign-in sends tokens over TLS alone, so each request carries it.
const client = Client.initWithMiddleware({
  baseUrl: `${base}/`,
  defaultVersion: "v1.0",
  middleware: new HTTPMessageHandler(),
});
const api = (path) => client.api(path).header("Authorization", `Bearer ${token}`);

const events = [];
let next = `/users/${user}/events?$top=5&$select=id,subject,isOnlineMeeting,onlineMeeting,body`;
while (next) {
  const page = await api(next).get();
  events.push(...page.value);
  // The client follows links over TLS alone.
  next = page["@odata.nextLink"]?.replace(`${base}/v1.0`, "");
}

const meeting = await api(`/users/${user}/onlineMeetings/createOrGet`).post({ externalId: "node", subject: "Budget" });
const batch = await api("/$batch").post({
  requests: [
    { id: "1", method: "GET", url: `/users/${user}/calendars` },
    { id: "2", method: "GET", url: `/users/${user}/events/nonsense` },
  ],
});
let refused;
try {
  await api(`/users/${user}/events/${events[0].id}`).header("If-Match", 'W/"stale"').patch({ subject: "x" });
} catch (error) {
  refused = { status: error.statusCode, code: error.code };
}
const me = await api(`/users/${user}`).select("userPrincipalName,mail").get();
console.log(JSON.stringify({ events, meeting, batch, refused, me }));
