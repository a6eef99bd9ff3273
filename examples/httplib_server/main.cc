// An MCP server of cpp-httplib with the guard inside, configured by its environment.
//
//   OAUTH_ISSUER_URL=https://idp.example.com MCP_URL=https://mcp.example.com/mcp \
//   TOOL_SCOPES_JSON='{"whoami": ["tools:read"], "delete_*": ["tools:write"]}' ./httplib_server 8080

#include "../common/tools.h"

#include <cstdlib>
#include <iostream>

#include <mcp_oauth/cpp_httplib.h>

int main(int count, char** words) {
  // [guard]
  auto guard = mcp_oauth::guard::from_environment();
  if (!guard) {
    std::cerr << guard.error().text() << '\n';
    return 1;
  }
  httplib::Server server;
  mcp_oauth::mount(server, "/mcp", *guard,
                   [](const httplib::Request& asked, httplib::Response& answer, const mcp_oauth::call& call) {
                     if (call.method() == "stream") {  // no events here
                       answer.status = 405;
                       answer.set_header("Allow", "POST");
                       return;
                     }
                     auto text = example::answer_to(asked.body, call.user().subject());
                     if (text.empty())
                       answer.status = 202;
                     else
                       answer.set_content(text, "application/json");
                   });
  // [guard]
  // [health]
  server.Get("/health", [guard](const httplib::Request&, httplib::Response& answer) {
    auto now = guard->status();
    answer.status = now.ready ? 200 : 503;
    answer.set_content(now.ready ? "ready\n" : "not ready\n", "text/plain");
  });
  // [health]
  int port = count > 1 ? std::atoi(words[1]) : 8080;
  if (port == 0)
    port = server.bind_to_any_port("127.0.0.1");
  else if (!server.bind_to_port("127.0.0.1", port))
    return 1;
  std::cout << "listening on http://127.0.0.1:" << port << std::endl;
  server.listen_after_bind();
}
