// The coroutine behind every MCP call: who is it, what is asked, may they, and then the relay.

#include "app/call_checks.h"
#include "app/forward.h"
#include "app/gateway_service.h"
#include "app/list_answers.h"
#include "app/story.h"
#include "app/watched_call.h"
#include "base/form.h"
#include "base/text.h"
#include "gateway/loop.h"
#include "gateway/loopback.h"
#include "gateway/media_type.h"
#include "gateway/session_query.h"
#include "mcp/envelope.h"
#include "mcp/headers.h"
#include "mcp/legacy_sse.h"
#include "mcp/revision.h"
#include "mcp/sse.h"
#include "net/http_write.h"
#include "oauth/bearer.h"

namespace mcp_oauth {
namespace {

std::string_view authority_of(std::string_view origin) {
  return origin.substr(std::min(origin.find("://") + 3, origin.size()));
}

// Where a place is, in one spelling: what a server announced and what a client asks for compare equal.
std::string place_of(std::string_view path, std::string_view query) {
  std::string place(path);
  if (!query.empty()) place.append("?").append(query);
  return place;
}

}  // namespace

// The call as far as it was read before the decision.
struct gateway_service::admission {
  envelope_scanner scanner;
  std::string copied;     // content that had to be kept beyond a read
  std::string_view held;  // content read so far: `copied`, or where it arrived
  std::uint64_t read = 0;
  bool ended = false;
  bool took_time = false;  // it did not come at once
};

// Watches a call pass: goes on reading the request after the decision, turns the answer's head into ours.
class gateway_service::mcp_watcher final : public net::relay_watcher {
 public:
  mcp_watcher(gateway_service& of, net::exchange& x, const upstream& to, const snapshot& rules,
              credential& who, admission& in, open_streams::call& under_way)
      : of_(of),
        x_(x),
        to_(to),
        rules_(rules),
        who_(who),
        in_(in),
        under_way_(under_way),
        rewriter_([this](std::string_view u) { return public_endpoint(u); }) {}
  ~mcp_watcher() override {
    if (counted_) of_.parts_.counts->stream_closed();
  }

  result<void> on_request_piece(std::string_view content, bool last) override {
    in_.read += content.size();
    if (in_.read > rules_.conf.limits.body) return fail(errc::body_too_large);
    if (in_.ended || x_.head().method != "POST") return {};
    auto fed = in_.scanner.feed(content);
    if (!fed || !last) return fed;
    auto finished = in_.scanner.finish();
    if (!finished) return finished;
    in_.ended = true;
    auto mirrored = check_mirrored_headers(in_.scanner.seen(), x_.head().fields);
    return mirrored ? still_permitted() : mirrored;
  }

  verdict on_response_head(const net::response_head& head, std::string& out) override {
    status = head.status;
    if (rules_.watched.has(topic::proxy_response)) of_.watch(rules_, x_, response_note(head, to_));
    auto type = head.find("content-type").value_or("");
    bool html = starts_with_ignoring_case(type, "text/html");
    bool call = in_.scanner.seen().kind == envelope::kind::request;
    // A web page in answer to a call: a wrong path, or somebody else's sign-in. The client could only stumble
    // over it.
    if (html && call) {
      replacement =
          error{errc::upstream_not_mcp, "status " + std::to_string(head.status) + " " + std::string(type)};
      return verdict::replace;
    }
    // The upstream refuses us, not the client: its challenge would send the client to the wrong sign-in.
    if (head.status == 401 || head.status == 407) {
      who_.provider_token_refused = to_.where.conf().authorization == "provider";
      replacement = error{errc::upstream_not_mcp, "the MCP server answered " + std::to_string(head.status) +
                                                      ": it wants credentials of its own "
                                                      "(upstream_authorization is " +
                                                      to_.where.conf().authorization + ")"};
      return verdict::replace;
    }
    // 404 is how a server ends a session; without one it is how it knows no such path.
    if (head.status == 404 && call && !x_.head().find("mcp-session-id"))
      of_.warn_of_path(to_, x_.head().path);
    if (!lists && lists_by_now) lists = lists_by_now();
    if (lists) {
      auto readable = lists->on_head(head);
      if (!readable) {
        replacement = readable.error();
        return verdict::replace;
      }
    }
    bool events = starts_with_ignoring_case(type, "text/event-stream");
    auto opened = events ? open() : result<void>();
    if (!opened) {
      replacement = opened.error();
      return verdict::replace;
    }
    legacy_ = x_.head().method == "GET" && events;
    net::append_status_line(out, head.status);
    const auto& transform = to_.transform;
    connection_options connection(head.fields);
    auto passes_on = [&](std::string_view name) { return head.find(name) && !connection.name(name); };
    for (const auto& f : head.fields) {
      if (connection.name(f.name)) continue;
      if (lists && lists->changes(f.name)) continue;
      if (response_field_passes(f.name)) {
        auto name = transform.empty() ? f.name : transform.name_for(f.name);
        if (!name.empty()) net::append_field(out, name, f.value);
      } else if (equal_ignoring_case(f.name, "mcp-session-id")) {
        net::append_field(out, f.name,
                          rules_.sessions.bind(session_binding::what::header, to_.where.conf().resource,
                                               who_.owner(), f.value));
      }
    }
    out += transform.added();
    if (!passes_on("date")) net::append_field(out, "Date", net::http_date());
    append_nonce(out, rules_);
    for (const auto& [name, value] : rules_.cors.fields_for(x_.head().find("origin").value_or(""), false)) {
      net::append_field(out, name, value);
    }
    if (events && !passes_on("x-accel-buffering")) net::append_field(out, "X-Accel-Buffering", "no");
    return lists ? lists->how() : verdict::pass;
  }

  result<void> on_held_piece(std::string_view content) override { return lists->on_piece(content); }
  result<std::string_view> on_held_end() override { return lists->on_end(); }

  result<std::string_view> on_stream_piece(std::string_view content) override {
    if (legacy_ && !rewriter_.done()) {
      auto rewritten = rewriter_.feed(content);
      if (!rewritten) return tl::unexpected<error>(rewritten.error());
      rewritten_ = std::move(*rewritten);
      content = rewritten_;
    }
    if (lists) {
      auto filtered = lists->on_stream_piece(content);
      if (!filtered) return filtered;
      content = *filtered;
    }
    boundary_.feed(content);
    return content;
  }
  bool between_events() const override { return boundary_.between_events(); }

  int status = 0;
  std::chrono::steady_clock::time_point stream_began;
  std::optional<error> replacement;
  std::unique_ptr<list_answers> lists;  // what the caller may not see is taken out of the answer
  // The same, or null, when rules may have come between the call and its answer.
  std::function<std::unique_ptr<list_answers>()> lists_by_now;

 private:
  // Of a call that passed while it came, at its end.
  result<void> still_permitted() const {
    const auto& by_now =
        of_.rules_.get() == &rules_ ? to_.rules_now() : of_.rules_of_server(to_.where.conf().name);
    auto permitted = authorize(by_now, who_.asks(), in_.scanner.seen());
    if (!permitted) return fail(permitted.error().code, std::move(permitted.error().detail));
    return of_.still_good(x_, to_, who_);
  }
  result<void> open() {
    open_streams::kind kind{x_.head().method == "GET", lists != nullptr, to_.where.conf().name};
    auto opened = under_way_.open(who_.claims().expires + to_.tokens.leeway, std::move(kind));
    if (!opened) return opened;
    of_.parts_.counts->stream_opened();
    counted_ = true;
    stream_began = std::chrono::steady_clock::now();
    return {};
  }

  // Where a client of 2024-11-05 shall post to: our path for the server's, bound to who opened the stream.
  result<std::string> public_endpoint(std::string_view announced) const {
    const auto& server = to_.where.where();
    announced = announced.substr(0, announced.find('#'));
    std::string path, query;
    // A reference without a scheme is relative to the stream (RFC 3986 §5.2).
    auto absolute = announced.starts_with("//") ? url::parse(server.scheme + ":" + std::string(announced))
                                                : url::parse(announced);
    if (absolute) {
      if (absolute->origin() != server.origin())
        return fail(errc::upstream_malformed, "endpoint of another origin: " + absolute->origin());
      path = absolute->path.empty() ? "/" : absolute->path;
      query = absolute->query;
    } else {
      if (announced.starts_with("//")) return fail(errc::upstream_malformed, "endpoint is no URI");
      auto question = std::min(announced.find('?'), announced.size());
      path = announced.substr(0, question);
      query = announced.substr(std::min(question + 1, announced.size()));
      auto stream = to_.where.upstream_path(x_.head().path);
      if (path.empty()) path = stream;
      if (path.front() != '/') path = stream.substr(0, stream.rfind('/') + 1) + path;
    }
    if (!is_plain_path(path)) return fail(errc::upstream_malformed, "endpoint with a path that is not plain");
    auto read = read_session_query(query);
    if (!read || !read->mac.empty())
      return fail(errc::upstream_malformed, read ? "endpoint with mop_session" : read.error().detail);
    of_.parts_.announced->add(to_.where.conf().name, path);
    auto place = place_of(path, read->rest);
    auto bound =
        rules_.sessions.bind(session_binding::what::place, to_.where.conf().resource, who_.owner(), place);
    return place_of(to_.where.public_path(path), read->rest) + (read->rest.empty() ? "?" : "&") +
           std::string(place_binding) + "=" + bound.substr(place.size() + 1);
  }

  gateway_service& of_;
  net::exchange& x_;
  const upstream& to_;
  const snapshot& rules_;
  credential& who_;
  admission& in_;
  open_streams::call& under_way_;
  endpoint_rewriter rewriter_;
  std::string rewritten_;
  event_boundary boundary_;
  bool legacy_ = false;
  bool counted_ = false;
};

result<std::shared_ptr<credential>> gateway_service::authenticate(const net::exchange& x,
                                                                  const upstream& to) {
  // Who needs no token is nobody, whatever they bring: what it says must not reach the server unchecked.
  if (to.is_public()) return credential::of_nobody();
  auto token = bearer_token(x.head().fields, x.head().query);
  if (!token) return tl::unexpected<error>(token.error());
  auto now = std::chrono::system_clock::now();
  auto verify = [&](std::string_view text) {
    if (to.tests.sign(text)) return to.tests.verify(text, now);
    return verify_access_token(text, *rules_->keys, to.tokens, now);
  };
  auto found = tokens_.find(*token, to.tokens.leeway, now, verify);
  if (!found && found.error().code == errc::token_key_unknown && parts_.key_unknown) parts_.key_unknown();
  // The cache is one for all upstreams; the audience is each one's own.
  if (found && !(*found)->token->is_for(to.tokens.audience)) {
    return fail(errc::token_audience_mismatch,
                "aud " + (*found)->claims().audience + ", expected " + to.tokens.audience);
  }
  return found;
}

// A call that was begun under a good token is no call kept for later.
result<void> gateway_service::still_good(const net::exchange& x, const upstream& to, const credential& who) {
  if (to.is_public()) return {};
  if (who.claims().expires + to.tokens.leeway <= std::chrono::system_clock::now())
    return fail(errc::token_expired, "exp passed while the call was read");
  if (rules_->issuers != nullptr) return {};
  auto again = authenticate(x, to);
  if (!again) return tl::unexpected<error>(again.error());
  return {};
}

result<std::string> gateway_service::session_of(const net::exchange& x, const upstream& to, credential& who,
                                                const session_query& query) {
  using what = session_binding::what;
  const auto& head = x.head();
  const auto& subject = who.claims().subject;
  const auto& owner = who.owner();
  const auto& resource = to.where.conf().resource;

  // A proof in the query is checked whatever the header says: the server may look at either.
  bool around = to.where.is_announced(head.path);
  auto rest = to.where.rest_of(head.path);
  // Whatever a server calls it, a session of 2024-11-05 stands in the address that is posted to.
  bool may_name_session = path_may_name_session(rest) || (!rest.empty() && !query.rest.empty()) ||
                          (!query.rest.empty() &&
                           parts_.announced->holds(to.where.conf().name, to.where.upstream_path(head.path)));
  bool posts_to_id = head.method != "GET" && may_name_session;
  if (around || posts_to_id || query.names_session || !query.mac.empty()) {
    auto place = place_of(to.where.upstream_path(head.path), query.rest);
    auto bound = place + "." + std::string(query.mac);
    if (!rules_->sessions.release(what::place, resource, owner, bound)) {
      return fail(errc::session_foreign, "the session in the address was not given to " + subject);
    }
  }
  // What a server announced is where its client posts to, and nothing else.
  if (around && head.method != "POST") return fail(errc::http_method_refused, std::string(head.method));

  std::string_view named;
  int times = 0;
  for (const auto& f : head.fields) {
    if (f.name.size() == 14 && equal_ignoring_case(f.name, "mcp-session-id")) {
      named = f.value;
      ++times;
    }
  }
  if (times > 1) return fail(errc::session_foreign, "Mcp-Session-Id stands twice");
  if (times == 0 || named.empty()) return std::string();
  if (named == who.checked_session && resource == who.checked_resource)
    return who.checked_session.substr(0, who.checked_length);
  auto id = rules_->sessions.release(what::header, resource, owner, named);
  if (!id) return fail(errc::session_foreign, "the session id was not given to " + subject);
  who.checked_session = named;
  who.checked_length = id->size();
  who.checked_resource = resource;
  return std::string(*id);
}

net::task<result<void>> gateway_service::read_call(net::exchange& x, const policy& judged, admission& in) {
  net::content_pieces pieces;
  x.take_arrived(pieces);
  // Usually all of it lies in one piece where it arrived, and stays there.
  if (pieces.size() == 1 && x.body_done()) {
    in.held = pieces[0];
    in.read = in.held.size();
    auto fed = in.scanner.feed(in.held);
    if (!fed) co_return fed;
  } else {
    for (;;) {
      for (auto p : pieces) {
        auto fed = in.scanner.feed(p);
        if (!fed) co_return fed;
        in.copied += p;
      }
      in.read = in.copied.size();
      if (x.body_done()) break;
      if (in.scanner.decided() && !judged.wants_text(in.scanner.seen())) break;
      if (in.read > rules_->conf.limits.admission) {
        co_return fail(errc::body_too_large,
                       "what decides about the call stands behind more than limits.admission bytes");
      }
      in.took_time = true;
      auto more = co_await x.read_more(pieces);
      if (!more) co_return more;
    }
    in.held = in.copied;
  }
  if (x.body_done()) {
    auto finished = in.scanner.finish();
    if (!finished) co_return finished;
    in.ended = true;
  }
  co_return result<void>();
}

std::string gateway_service::upstream_head(const net::exchange& x, const upstream& to, const snapshot& rules,
                                           credential& who, std::string_view session, std::string_view query,
                                           std::string_view client_address) const {
  const auto& head = x.head();
  std::string out;
  out.reserve(x.head_text().size() - head.find("authorization").value_or("").size() + who.identity.size() +
              256);
  out += head.method;
  out += ' ';
  out += to.where.upstream_path(head.path);
  if (!query.empty()) {
    out += '?';
    out += query;
  }
  out += " HTTP/1.1\r\n";
  net::append_field(out, "Host", to.target.authority);
  append_request_fields(out, head.fields, to.headers);
  if (!session.empty()) net::append_field(out, "Mcp-Session-Id", session);
  out += who.identity;
  const auto& conf = to.where.conf();
  if (!conf.inject_headers.empty()) out += injected_lines(who.claims(), conf.inject_headers);
  if (conf.authorization != "none") append_authorization(out, x, to, rules, who);
  net::append_field(out, "X-Forwarded-For", client_address);
  auto authority = authority_of(to.origin.empty() ? std::string_view(rules.conf.public_url) : to.origin);
  if (!to.origin.empty() || head.host == authority) {
    net::append_field(out, "X-Forwarded-Host", authority);
  } else {
    // Only another name of this machine has to be looked at.
    auto reached = origin_as_reached(rules.conf.public_url, head.host);
    net::append_field(out, "X-Forwarded-Host", authority_of(reached));
  }
  net::append_field(out, "X-Forwarded-Proto",
                    rules.conf.public_url.rfind("https", 0) == 0 ? "https" : "http");
  net::append_field(out, "X-Request-Id", x.request_id());
  out += "Via: 1.1 ";
  out += parts_.pseudonym;
  out += "\r\n";
  return out;
}

net::task<void> gateway_service::serve_mcp(net::exchange& x, const snapshot& rules, const upstream& to,
                                           story& told) {
  const auto& head = x.head();
  told.upstream = to.where.conf().name;
  auto origin = head.find("origin");

  if (head.method == "OPTIONS") {
    http_response preflight;
    preflight.status = 204;
    preflight.fields = rules.cors.preflight_for(origin.value_or(""), false, "GET, POST, DELETE, OPTIONS",
                                                head.find("access-control-request-headers").value_or(""));
    co_await x.respond(preflight);
    co_return;
  }
  error why;
  std::vector<std::string> scopes;
  std::string id;
  if (origin && !rules.cors.may_call_mcp(*origin)) {
    why = error{errc::origin_refused,
                "Origin " + std::string(*origin) + " may not call: " + rules.cors.near_miss(*origin)};
    co_return co_await refuse_mcp(x, to, told, why, scopes, id);
  }
  // Before the token: behind the first turn of a loop there is none, and 401 would mislead.
  if (came_through(parts_.pseudonym, head.fields)) {
    why = error{errc::upstream_loop, "Via names " + parts_.pseudonym + ", which is this process"};
    co_return co_await refuse_mcp(x, to, told, why, scopes, id);
  }
  // Who is not signed in hears of that first, whatever the rest of the request is.
  result<std::shared_ptr<credential>> who;
  if (rules.issuers != nullptr && !to.is_public()) {
    shown_request as{head.method, head.host, head.path, head.query, x.client_certificate()};
    who = co_await judge_token(x, rules, to, as, told);
  } else {
    who = authenticate(x, to);
  }
  if (!who) {
    why = who.error();
    if (rules.watched.has(topic::token_validate)) watch(rules, x, refused_note(why));
    co_return co_await refuse_mcp(x, to, told, why, scopes, id);
  }
  if (rules.watched.has(topic::token_validate)) watch(rules, x, validated_note(**who));
  const auto& claims = (*who)->claims();
  open_streams::call under_way(streams_, claims.grant_id, x);
  told.caller = *who;
  told.subject = claims.subject;
  told.client_id = claims.client_id;

  if (!is_plain_path(head.path)) {
    why = error{errc::http_not_found, "the path holds dot segments or encoded separators"};
    co_return co_await refuse_mcp(x, to, told, why, scopes, id);
  }
  if (head.method != "POST" && head.method != "GET" && head.method != "DELETE") {
    why = error{errc::http_method_refused, std::string(head.method)};
    co_return co_await refuse_mcp(x, to, told, why, scopes, id);
  }

  // Content that nobody judged is a second request to a server that does not expect any.
  bool has_content = head.body == net::framing::chunked || head.length > 0;
  if (head.method != "POST" && has_content) {
    why = error{errc::http_malformed, std::string(head.method) + " with content"};
    x.close_after();
    co_return co_await refuse_mcp(x, to, told, why, scopes, id);
  }

  admission in;
  if (head.method == "POST") {
    auto readable = check_media_type(head.fields);
    if (!readable) {
      why = readable.error();
      co_return co_await refuse_mcp(x, to, told, why, scopes, id);
    }
    if (head.body == net::framing::length && head.length > rules.conf.limits.body) {
      why = error{errc::body_too_large, "Content-Length " + std::to_string(head.length)};
      co_return co_await refuse_mcp(x, to, told, why, scopes, id);
    }
    const auto& at_first = to.rules_now();
    auto read = co_await read_call(x, at_first, in);
    if (read && in.took_time) read = still_good(x, to, **who);
    if (read) read = check_mirrored_headers(in.scanner.seen(), head.fields);
    id = in.scanner.seen().id;
    told.method = in.scanner.seen().method;
    told.tool = in.scanner.seen().name;
    if (!read) {
      why = read.error();
      if (why.code == errc::client_gone) x.close_after();
      co_return co_await refuse_mcp(x, to, told, why, scopes, id);
    }
  }

  if (rules.spans != nullptr) begin_trace(x, told, in.scanner.seen());

  auto asked = read_session_query(head.query);
  if (!asked) {
    why = asked.error();
    co_return co_await refuse_mcp(x, to, told, why, scopes, id);
  }
  auto session = session_of(x, to, **who, *asked);
  if (!session) {
    why = session.error();
    co_return co_await refuse_mcp(x, to, told, why, scopes, id);
  }

  // The rules that hold by now, for as long as the call is under way.
  const policy judged = rules_.get() == &rules ? to.rules_now() : rules_of_server(to.where.conf().name);
  auto asks = (*who)->asks();
  auto text = in.ended ? in.held : std::string_view();
  auto permitted = head.method == "POST" ? authorize(judged, asks, in.scanner.seen(), text)
                                         : authorize_stream(judged, asks);
  if (!permitted) {
    if (rules.watched.has(topic::policy_decision)) watch_refusal(x, rules, permitted.error());
    why = error{permitted.error().code, permitted.error().detail};
    scopes = permitted.error().scopes;
    if (parts_.stories != nullptr) told.denied = std::make_unique<refusal>(std::move(permitted.error()));
    co_return co_await refuse_mcp(x, to, told, why, scopes, id);
  }

  if (to.where.conf().authorization == "provider") {
    auto held = co_await fetch_provider_token(rules, **who, told);
    if (!held) {
      why = held.error();
      co_return co_await refuse_mcp(x, to, told, why, scopes, id);
    }
  }

  if (rules.conf.audit.wants_allowed()) {
    auto recorded = co_await record_decision(x, rules, told, decision::allowed, nullptr);
    if (!recorded) {
      why = recorded.error();
      co_return co_await refuse_mcp(x, to, told, why, scopes, id);
    }
  }

  tell_remembered(x, rules, told);
  auto query = without_parameter(asked->rest, "access_token");
  mcp_watcher watcher(*this, x, to, rules, **who, in, under_way);
  bool may_list_items = may_hold_lists(head.method, in.scanner.seen());
  bool lists = judged.filters_lists() && (may_list_items || asks_for_answers(in.scanner.seen()));
  const auto& server_name = to.where.conf().name;
  auto visible = [&](listed what, std::string_view name) {
    return may_list(rules_of_server(server_name), asks, what, name);
  };
  using asked_for = list_answers::asked;
  auto what = head.method == "GET" ? asked_for::stream : may_list_items ? asked_for::list : asked_for::other;
  auto filter = [&] { return std::make_unique<list_answers>(what, visible, rules.conf.limits.list); };
  if (lists) watcher.lists = filter();
  if (may_list_items && !lists) {
    watcher.lists_by_now = [&]() -> std::unique_ptr<list_answers> {
      return rules_of_server(server_name).filters_lists() ? filter() : nullptr;
    };
  }
  net::relay_order order{to.target, upstream_head(x, to, rules, **who, *session, query, told.client), in.held,
                         may_repeat(head.method, in.scanner.seen())};
  if (lists) ask_for_plain_content(order.head);
  told.permitted = true;
  if (told.trace) {
    begin_call(told);
    if (to.headers.sends_trace()) order.head += trace_fields(*told.trace, to.headers.sends_trace_state());
  }
  if (rules.watched.any()) watch_forwarding(x, to, rules, in.scanner.seen(), order.head);
  auto outcome = co_await forward(*permitted, x, upstreams_, order, to.relaying, watcher);
  told.response_bytes = outcome.response_bytes;
  told.stream = outcome.stream;
  told.answered = watcher.status != 0;
  told.stream_began = watcher.stream_began;
  if (watcher.lists && watcher.lists->counts().any())
    told.notes.emplace_back("listed", watcher.lists->counts().describe());
  if (told.trace) {
    auto address = to.target.key + to.where.upstream_path(head.path);
    call_result end{head.method, address, outcome.status, std::nullopt, true};
    if (watcher.replacement) end.why = watcher.replacement->code;
    if (!outcome.ended) end.why = outcome.ended.error().code;
    end_call(told, end);
  }
  if (watcher.replacement) {
    if (watcher.status == 401) {
      auto sent = upstream_head(x, to, rules, **who, *session, query, told.client);
      watcher.replacement->detail += "; it was sent " + field_names(sent);
    }
    // The server has heard of the call: its stream has ended, though the client will see nothing of it.
    bool revoked = watcher.replacement->code == errc::token_revoked;
    if (revoked && rules.conf.audit.enabled()) {
      const error* ended = &*watcher.replacement;
      (void)co_await record_decision(x, rules, told, decision::ended, ended);
    }
    co_return co_await refuse_mcp(x, to, told, *watcher.replacement, scopes, id);
  }
  if (auto ours = under_way.ended_for()) {
    told.why = std::move(ours);
    x.close_after();
    const error* ended = &*told.why;
    // It has ended already, whether that can be written or not.
    if (rules.conf.audit.enabled()) (void)co_await record_decision(x, rules, told, decision::ended, ended);
    co_return;
  }
  if (outcome.ended) co_return;
  told.why = outcome.ended.error();
  if (outcome.answer_begun || told.why->code == errc::client_gone) {
    x.close_after();
    x.client().abort();
    co_return;
  }
  x.close_after();
  why = *told.why;
  co_await refuse_mcp(x, to, told, why, scopes, id);
}

}  // namespace mcp_oauth
