// A server of cpp-httplib whose answer streams: JWKS ISSUER RESOURCE TOKEN → what its client got of a list.

#include <iostream>
#include <thread>

#include <mcp_oauth/cpp_httplib.h>

int main(int count, char** words) {
  if (count != 5) return 2;
  mcp_oauth::options options;
  options.server.keys = words[1];
  options.server.issuer = words[2];
  options.resource = words[3];
  options.tools = {{"echo", {"tools:read"}}, {"delete_note", {"tools:write"}}};
  auto guard = mcp_oauth::guard::make(options);
  if (!guard) return 1;
  httplib::Server server;
  mcp_oauth::mount(
      server, "/mcp", *guard, [](const httplib::Request&, httplib::Response& answer, const mcp_oauth::call&) {
        auto stream = [pieces = 0](std::size_t, httplib::DataSink& sink) mutable {
          const std::string piece = pieces == 0 ? "data: {\"result\":{\"tools\":[{\"name\":\"delete"
                                                : "_note\"},{\"name\":\"echo\"}]}}\n\n";
          if (!sink.write(piece.data(), piece.size())) return false;
          if (++pieces == 2) sink.done();
          return true;
        };
        answer.set_chunked_content_provider("text/event-stream", stream);
      });
  int port = server.bind_to_any_port("127.0.0.1");
  std::thread serving([&] { server.listen_after_bind(); });
  httplib::Client client("127.0.0.1", port);
  client.set_bearer_token_auth(words[4]);
  auto got = client.Post("/mcp", {{"Origin", "https://mcp.example.com"}},
                         R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})", "application/json");
  // What streams has the head that other answers have.
  if (got && got->get_header_value("Access-Control-Allow-Origin") != "https://mcp.example.com")
    std::cout << "no page could read it: ";
  std::cout << (got ? std::to_string(got->status) + " " + got->body : "nothing");
  server.stop();
  serving.join();
  return 0;
}
