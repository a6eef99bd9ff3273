#include "app/demo_service.h"

#include "gateway/refusal.h"

namespace mcp_oauth {
namespace {
constexpr std::size_t largest_body = 32 * 1024 * 1024;
}  // namespace

net::task<void> demo_service::serve(net::exchange& x) {
  http_request request;
  const auto& head = x.head();
  request.method = head.method;
  request.path = head.path;
  request.query = head.query;
  for (const auto& f : head.fields) request.fields.add(std::string(f.name), std::string(f.value));
  request.peer = x.peer();
  request.request_id = x.request_id();
  auto read = co_await x.read_all(request.body, largest_body);
  if (!read) {
    x.close_after();
    http_response refusal = refuse_plain(read.error().code);
    co_await x.respond(refusal);
    co_return;
  }
  auto answer = what_.handle(request, std::chrono::system_clock::now());
  if (!answer.stream) {
    co_await x.respond(answer.response);
    co_return;
  }
  auto begun = co_await x.start_stream(answer.response);
  if (begun != net::io::ok) co_return;
  struct end_of_client final : net::channel::listener {
    bool seen = false;
    void on_gone() override { seen = true; }
  };
  end_of_client end;
  bool& gone = end.seen;
  x.client().listen(&end);
  while (!gone) {
    auto next = answer.stream->next();
    if (next.wait.count() > 0) {
      net::sleep pause(worker_, next.wait);
      co_await pause;
    }
    if (gone) break;
    if (!next.bytes.empty()) {
      auto sent = co_await x.write_chunk(next.bytes);
      if (sent != net::io::ok) gone = true;
    }
    if (next.last && next.abort) gone = true;
    if (next.last) break;
  }
  x.client().listen(nullptr);
  if (gone) {
    x.close_after();
    x.client().abort();
    co_return;
  }
  co_await x.end_stream();
}

http_response demo_service::refuse(const error& why, const net::exchange&) { return refuse_plain(why.code); }

}  // namespace mcp_oauth
