#include "app/gateway_fixture.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

TEST_F(Gateway, BindsASessionToWhoOpenedIt) {
  auto client = connect();
  client.send(
      post(R"({"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}})",
           with_token()));
  auto up = upstream_end();
  up.until("2025-06-18");
  up.until("}}");
  up.send(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Session-Id: abc-123\r\nContent-Length: "
      "2\r\n\r\n{}");
  auto answer = client.until("{}");
  auto at = answer.find("Mcp-Session-Id: ") + 16;
  auto id = answer.substr(at, answer.find("\r\n", at) - at);
  EXPECT_EQ(id.substr(0, 8), "abc-123.");

  client.send(post(call, with_token("Mcp-Session-Id: " + id + "\r\n")));
  EXPECT_TRUE(has(up.until(call), "Mcp-Session-Id: abc-123\r\n")) << "the upstream knows its own id";
  up.send(ok);
  client.until("{}");

  auto other = token([](access_claims& c) { c.subject = "local:eve"; });
  for (const auto& [bearer, session] : {std::pair{other, id},
                                        {token(), std::string("abc-123")},
                                        {token(), id + "x"},
                                        {token(), std::string("xyz") + id.substr(7)}}) {
    auto refused =
        answer_to(post(call, "Authorization: Bearer " + bearer + "\r\nMcp-Session-Id: " + session + "\r\n"));
    EXPECT_EQ(refused.substr(9, 3), "404") << session;
  }
  EXPECT_EQ(answer_to("DELETE /mcp HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + other +
                      "\r\nMcp-Session-Id: " + id + "\r\n\r\n")
                .substr(9, 3),
            "404");
}

TEST_F(Gateway, RewritesTheEndpointOfAnOldServerAndBindsIt) {
  auto client = connect();
  client.send("GET /mcp/sse HTTP/1.1\r\nHost: h\r\nAccept: text/event-stream\r\n" + with_token() + "\r\n");
  auto up = upstream_end();
  EXPECT_TRUE(has(up.until("\r\n\r\n"), "GET /rpc/sse HTTP/1.1"));
  up.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: endpoint\ndata: "
      "/rpc/messages?sessionId=s1\n\n");
  auto event = client.until("\n\n");
  auto at = event.find("data: ") + 6;
  auto uri = event.substr(at, event.find('\n', at) - at);
  EXPECT_EQ(uri.rfind("/mcp/messages?sessionId=s1&mop_session=", 0), 0u) << event;

  auto poster = connect();
  auto request = post(call, with_token());
  poster.send(request.replace(5, 4, uri));
  auto other_up = upstream_end();
  EXPECT_TRUE(has(other_up.until(call), "POST /rpc/messages?sessionId=s1 HTTP/1.1\r\n"));
  other_up.send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(poster.until("\r\n\r\n").substr(9, 3), "202");

  auto eve = token([](access_claims& c) { c.subject = "local:eve"; });
  auto stolen = post(call, "Authorization: Bearer " + eve + "\r\n");
  EXPECT_EQ(answer_to(stolen.replace(5, 4, uri)).substr(9, 3), "404");
  auto unbound = post(call, with_token());
  EXPECT_EQ(answer_to(unbound.replace(5, 4, "/mcp/messages?sessionId=s1")).substr(9, 3), "404");
}

// Opens a legacy stream whose server announces `uri`; the event that the client gets.
class LegacyStream : public Gateway {
 protected:
  std::string announced(const std::string& uri, const std::string& path = "/mcp/sse") {
    client = connect();
    client.send(get(path, with_token()));
    up = upstream_end();
    up.until("\r\n\r\n");
    up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nevent: endpoint\ndata: " + uri +
            "\n\n");
    auto event = client.until("\n\n");
    auto at = event.find("data: ");
    if (at == std::string::npos) return {};
    return event.substr(at + 6, event.find('\n', at) - at - 6);
  }
  // What the MCP server is asked for when the client posts there; "" when it is not asked.
  std::string target_of(const std::string& uri, const std::string& fields) {
    auto poster = connect();
    poster.send(post_to(uri, fields));
    auto other = upstream_end();
    auto line = other.until("\r\n");
    other.until(call);
    other.send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(status_of(poster.until("\r\n\r\n")), 202) << uri;
    return line;
  }
  net::test_peer client{-1}, up{-1};
};

TEST_F(LegacyStream, ReachesAPlaceOutsideOfTheUrlsPathWithTheProofOnly) {
  conf.upstreams[0].url = "http://up:3000/sse";
  auto uri = announced("/messages/?session_id=abc", "/mcp");
  ASSERT_EQ(uri.rfind("/mcp/.up/messages/?session_id=abc&mop_session=", 0), 0U) << uri;
  EXPECT_EQ(target_of(uri, with_token()), "POST /messages/?session_id=abc HTTP/1.1\r\n");

  auto proof = uri.substr(uri.find("mop_session="));
  for (const auto& other :
       {std::string("/mcp/.up/messages/?session_id=abc"), "/mcp/.up/admin?session_id=abc&" + proof,
        "/mcp/.up/messages/?session_id=abd&" + proof, "/mcp/.up/messages/?" + proof,
        std::string("/mcp/.up/admin"), std::string("/mcp/.up/")}) {
    EXPECT_EQ(status_of(answer_to(post_to(other, with_token()))), 404) << other;
  }
  EXPECT_EQ(status_of(answer_to(post_to(uri, as("local:eve")))), 404);
  EXPECT_EQ(status_of(answer_to(get(uri, with_token()))), 405) << "a place to post to, and nothing else";
}

// Whatever a server calls its sessions.
TEST_F(LegacyStream, IsNobodyElsesUnderAnyName) {
  for (const char* name : {"clientId", "conn", "transportId", "sessionToken", "id", "x"}) {
    for (const char* path : {"/rpc/message", "/message", "/rpc"}) {
      auto uri = announced(std::string(path) + "?" + name + "=abcdef");
      ASSERT_NE(uri.find("mop_session="), std::string::npos) << uri;
      EXPECT_EQ(target_of(uri, with_token()),
                std::string("POST ") + path + "?" + name + "=abcdef HTTP/1.1\r\n");
      auto bare = uri.substr(0, uri.find("mop_session=") - 1);
      EXPECT_EQ(status_of(answer_to(post_to(bare, as("local:eve")))), 404) << bare;
      EXPECT_EQ(status_of(answer_to(post_to(uri, as("local:eve")))), 404) << uri;
      client.close();
      up.close();
    }
  }
}

TEST_F(LegacyStream, AQueryAtTheEndpointThatNobodyAnnouncedPasses) {
  EXPECT_EQ(target_of("/mcp?profile=work", with_token()), "POST /rpc?profile=work HTTP/1.1\r\n");
}

// A proof is for a whole place; a part of it must not become the proof.
TEST_F(LegacyStream, AProofCannotBeCutAtADot) {
  conf.upstreams[0].url = "http://up:3000/sse";
  auto uri = announced("/v1.0/messages?sid=zzz", "/mcp");
  auto mac = uri.substr(uri.find("mop_session=") + 12);
  for (const auto& cut : {"/mcp/.up/v1?mop_session=0/messages?sid=zzz." + mac,
                          "/mcp/.up/v1?mop_session=0%2Fmessages%3Fsid=zzz." + mac}) {
    auto refused = status_of(answer_to(post_to(cut, with_token())));
    EXPECT_TRUE(refused == 400 || refused == 404) << cut << refused;
  }
}

TEST_F(LegacyStream, UnderstandsEveryFormOfAReference) {
  struct row {
    const char *announced, *target;
  };
  for (const auto& r : {row{"/rpc/messages", "POST /rpc/messages HTTP/1.1\r\n"},
                        row{"messages?sessionId=1", "POST /rpc/messages?sessionId=1 HTTP/1.1\r\n"},
                        row{"?sessionId=1", "POST /rpc/sse?sessionId=1 HTTP/1.1\r\n"},
                        row{"http://up:3000/rpc/m?sessionId=1", "POST /rpc/m?sessionId=1 HTTP/1.1\r\n"},
                        row{"//up:3000/m?sessionId=1", "POST /m?sessionId=1 HTTP/1.1\r\n"},
                        row{"/m?&sessionId=1&", "POST /m?sessionId=1 HTTP/1.1\r\n"},
                        row{"/rpc/s/0123456789abcdef", "POST /rpc/s/0123456789abcdef HTTP/1.1\r\n"}}) {
    auto uri = announced(r.announced);
    ASSERT_FALSE(uri.empty()) << r.announced;
    EXPECT_EQ(target_of(uri, with_token()), r.target) << r.announced;
    client.close();
    up.close();
  }
}

TEST_F(LegacyStream, EndsWhenItsPlaceCannotBeReached) {
  for (const char* uri : {"http://evil:1/messages", "//evil/messages", "/a/../b?sessionId=1",
                          "/m?mop_session=x", "/m?sessionId=1&sessionId=2"}) {
    EXPECT_EQ(announced(uri), "") << uri;
    EXPECT_TRUE(client.sees_end()) << uri << ": a client that waits for it must not hang";
    up.close();
  }
}

TEST_F(LegacyStream, PassesAStreamWhoseFirstEventIsLarge) {
  auto c = connect();
  c.send(get("/mcp", with_token()));
  auto server_end = upstream_end();
  server_end.until("\r\n\r\n");
  std::string large = "data: " + std::string(100'000, 'x') + "\n\n";
  server_end.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + large + "data: end\n\n");
  auto got = c.until("data: end\n\n");
  EXPECT_TRUE(has(got, "data: end\n\n"));
  EXPECT_EQ(std::count(got.begin(), got.end(), 'x'),
            100'000 + std::count(got.begin(), got.begin() + static_cast<std::ptrdiff_t>(got.find("\r\n\r\n")),
                                 'x'));
}

TEST_F(LegacyStream, ChecksTheQueryWhateverTheHeaderSays) {
  auto opener = connect();
  opener.send(post(call, with_token()));
  auto server_end = upstream_end();
  server_end.until(call);
  server_end.send("HTTP/1.1 200 OK\r\nMcp-Session-Id: mine\r\nContent-Length: 2\r\n\r\n{}");
  auto answer = opener.until("{}");
  auto at = answer.find("Mcp-Session-Id: ") + 16;
  auto header = "Mcp-Session-Id: " + answer.substr(at, answer.find("\r\n", at) - at) + "\r\n";
  server_end.close();

  for (const char* path :
       {"/mcp/messages?sessionId=hers", "/mcp/messages?session%49d=hers", "/mcp/messages?SESSION_ID=hers",
        "/mcp?sessionId=hers", "/mcp/messages/0b7dfc1e-9d3a-4f0e-8b7a-2f6a0d8a1c11", "/mcp/messages/42"}) {
    EXPECT_EQ(status_of(answer_to(post_to(path, with_token(header)))), 404) << path;
    EXPECT_EQ(status_of(answer_to(post_to(path, with_token()))), 404) << path;
  }
  for (const char* path :
       {"/mcp/messages?sessionId=hers&sessionId=his", "/mcp/messages?sessionId=&session_id=hers",
        "/mcp/messages?mop_session=a&mop_session=b"}) {
    EXPECT_EQ(status_of(answer_to(post_to(path, with_token(header)))), 400) << path;
  }
  EXPECT_EQ(target_of("/mcp/files", with_token(header)), "POST /rpc/files HTTP/1.1\r\n")
      << "a server may have several places to post to";
}

TEST_F(LegacyStream, DoesNotTakeTheProofOfTheHeaderForOneOfTheQuery) {
  auto opener = connect();
  opener.send(post(call, with_token()));
  auto server_end = upstream_end();
  server_end.until(call);
  server_end.send("HTTP/1.1 200 OK\r\nMcp-Session-Id: /rpc/m?sessionId=hers\r\nContent-Length: 2\r\n\r\n{}");
  auto answer = opener.until("{}");
  auto at = answer.find("sessionId=hers.") + 15;
  auto mac = answer.substr(at, 22);
  EXPECT_EQ(status_of(answer_to(post_to("/mcp/m?sessionId=hers&mop_session=" + mac, with_token()))), 404);
}

class OpenStream : public LegacyStream {
 protected:
  void open(const std::string& request) {
    client = connect();
    client.send(request);
    up = upstream_end();
    up.until(request.rfind("GET", 0) == 0 ? "\r\n\r\n" : call);
    up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    client.until("data: 1\n\n");
  }
  std::string exposed() { return answer_to(get("/metrics", "")); }
};

TEST_F(OpenStream, EndsWithItsGrant) {
  for (bool by_get : {true, false}) {
    open(by_get ? get("/mcp", with_token()) : post(call, with_token()));
    revoke("another", now() + seconds(60));
    up.send("data: 2\n\n");
    EXPECT_TRUE(has(client.until("data: 2\n\n"), "data: 2"))
        << "the revocation of another grant changes nothing";
    revoke("grant", now());
    client.rest();
    EXPECT_TRUE(client.sees_end());
    EXPECT_TRUE(up.sees_end()) << "the MCP server hears of it";
    sweep(now() + seconds(1));  // forgets the revocation
  }
}

TEST_F(OpenStream, EndsSoonAfterItsTokenWhenItOnlyWaits) {
  open(get("/mcp", with_token()));
  sweep(now() + seconds(119));
  up.send("data: 2\n\n");
  EXPECT_TRUE(has(client.until("data: 2\n\n"), "data: 2")) << "within the token's life and the leeway";
  sweep(now() + seconds(121));
  client.rest();
  EXPECT_TRUE(client.sees_end());
}

TEST_F(OpenStream, GoesOnWhenItsGrantHasANewerToken) {
  open(get("/mcp", with_token()));
  auto fresh = "Authorization: Bearer " + token([](access_claims& c) {
                 c.expires = now() + seconds(600);
                 c.token_id = "newer";
               }) +
               "\r\n";
  auto other = connect();
  other.send(post(call, fresh));
  auto other_up = upstream_end();
  other_up.until(call);
  other_up.send(ok);
  other.until("{}");
  sweep(now() + seconds(121));
  up.send("data: 2\n\n");
  EXPECT_TRUE(has(client.until("data: 2\n\n"), "data: 2"));
}

TEST_F(OpenStream, RunsToItsEndWhenItAnswersACall) {
  open(post(call, with_token()));
  sweep(now() + seconds(3600));
  up.send("data: 2\n\n");
  EXPECT_TRUE(has(client.until("data: 2\n\n"), "data: 2"));
}

// A server may keep the head back until it has an event.
TEST_F(OpenStream, DoesNotBeginWhereItsGrantWasRevokedBeforeItsHeadCame) {
  for (bool by_get : {true, false}) {
    auto grant = std::string(by_get ? "one" : "two");
    auto bearer = "Authorization: Bearer " + token([&](access_claims& c) { c.grant_id = grant; }) +
                  "\r\nConnection: close\r\n";
    client = connect();
    client.send(by_get ? get("/mcp", bearer) : post(call, bearer));
    up = upstream_end();
    up.until(by_get ? "\r\n\r\n" : call);
    revoke(grant, now());
    sweep(now() + seconds(1));  // later than any token of the grant: the revocation itself is forgotten
    up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Of-Server: 1\r\n\r\ndata: 1\n\n");
    auto answer = client.until("has been revoked");
    EXPECT_EQ(status_of(answer), 401) << answer;
    EXPECT_TRUE(has(answer, "error=\"invalid_token\"")) << answer;
    EXPECT_FALSE(has(answer, "X-Of-Server"));
    EXPECT_TRUE(up.sees_end()) << "the MCP server hears of it";
    EXPECT_FALSE(has(client.rest(), "data: 1"));
  }
  EXPECT_TRUE(has(exposed(), "mop_streams 0\n"));
}

TEST_F(OpenStream, DoesNotBeginWhereItsGrantWasRevokedBeforeTheCallWasWhole) {
  auto request = post(call, with_token("Expect: 100-continue\r\n"));
  client = connect();
  client.send(request.substr(0, request.size() - 1));
  client.until("100 Continue\r\n\r\n");
  revoke("grant", now() + seconds(60));
  client.send(request.substr(request.size() - 1));
  up = upstream_end();
  up.until(call);
  up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
  EXPECT_EQ(status_of(client.until("has been revoked")), 401);
}

TEST_F(OpenStream, OfAnotherGrantBeginsAndAnAnswerThatIsNoneGoesOut) {
  for (std::string_view head : {"text/event-stream", "application/json"}) {
    client = connect();
    client.send(post(call, with_token()));
    up = upstream_end();
    up.until(call);
    bool is_stream = head == "text/event-stream";
    revoke(is_stream ? "another" : "grant", now() + seconds(60));
    up.send("HTTP/1.1 200 OK\r\nContent-Type: " + std::string(head) +
            "\r\nConnection: close\r\nContent-Length: 9\r\n\r\ndata: 1\n\n");
    auto answer = client.until("data: 1\n\n");
    EXPECT_EQ(status_of(answer), 200) << answer;
    EXPECT_TRUE(has(answer, "data: 1\n\n"));
  }
}

TEST_F(OpenStream, WhoseHeadCameAfterItsTokenEndedEndsSoonWhereItOnlyWaits) {
  for (bool by_get : {true, false}) {
    client = connect();
    client.send(by_get ? get("/mcp", with_token()) : post(call, with_token()));
    up = upstream_end();
    up.until(by_get ? "\r\n\r\n" : call);
    sweep(now() + seconds(121));
    up.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    EXPECT_TRUE(has(client.until("data: 1\n\n"), "data: 1"));
    sweep(now() + seconds(131));
    if (by_get) {
      client.rest();
      EXPECT_TRUE(client.sees_end());
    } else {
      up.send("data: 2\n\n");
      EXPECT_TRUE(has(client.until("data: 2\n\n"), "data: 2")) << "the call was allowed when it was made";
    }
  }
}

TEST_F(OpenStream, IsCountedAndACallIsNot) {
  open(get("/mcp", with_token("Connection: close\r\n")));
  EXPECT_TRUE(has(exposed(), "mop_streams 1\n"));
  auto calling = connect();
  calling.send(post(call, with_token()));
  auto busy = upstream_end();
  busy.until(call);
  EXPECT_TRUE(has(exposed(), "mop_streams 1\n"));
  busy.send(ok);
  calling.until("{}");
  up.close();
  client.rest();
  EXPECT_TRUE(has(exposed(), "mop_streams 0\n"));
}

TEST_F(OpenStream, EndsWithItsGrantThoughItsClientDoesNotRead) {
  open(post(call, with_token()));
  // Until the gateway waits for room: the last piece does not arrive whole.
  std::string event = "data: " + std::string(64 * 1024, 'x') + "\n\n";
  auto filling = std::async(std::launch::async, [&] {
    for (int i = 0; i < 128; ++i) up.send(event);
  });
  revoke("grant", now() + seconds(60));
  filling.wait();
  EXPECT_TRUE(up.sees_end());
  client.rest();
}

TEST_F(OpenStream, MayOutliveTheRulesItBeganWith) {
  open(post(call, with_token("Connection: close\r\n")));
  auto changed = std::make_shared<snapshot>(*rules);
  std::promise<void> used;
  server->workers()[0]->post([&, this] {
    static_cast<gateway_service&>(server->service_of(0)).use(changed);
    used.set_value();
  });
  used.get_future().wait();
  rules.reset();
  up.send("data: 2\n\n");
  up.close();
  EXPECT_TRUE(has(client.rest(), "data: 2"));
}

}  // namespace
}  // namespace mcp_oauth
