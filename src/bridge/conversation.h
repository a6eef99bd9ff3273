#pragma once

#include "base/error.h"
#include "base/time.h"
#include "bridge/failure.h"
#include "bridge/message_scan.h"
#include "bridge/rewrite.h"
#include "bridge/settings.h"
#include "bridge/tool_headers.h"
#include "bridge/upstream_answer.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace mcp_oauth {

// What whoever has the sockets is to do.
struct bridge_action {
  enum class kind {
    send,    // a request to the MCP server, under the number `call`
    abort,   // that request: close its connection; nothing of it is reported any more
    renew,   // the server refused its token: get another one, and say `on_renewed`
    resume,  // `may_read` of it is true again
    log,
  };
  enum class method { post, get, remove };

  enum kind kind = kind::log;
  std::uint64_t call = 0;
  // send
  enum method method = method::post;
  std::string target;                       // path and query on the server's origin; "": its URL
  std::string fields;                       // lines with CR LF, besides those that every request has
  std::shared_ptr<const std::string> body;  // null: none
  bool may_repeat = false;                  // asking twice does no harm
  // send, renew
  bool unattended = false;  // nobody waits for what comes of it: no person is to be asked for its sake
  // renew
  int status = 0;
  std::string challenges, dpop_nonce;
  // log
  bridge_log_level level = bridge_log_level::info;
  std::string text;
};

// The head of an answer, borrowed for the call.
struct upstream_head {
  int status = 0;
  std::string_view content_type, session_id, retry_after, location, dpop_nonce;
  std::string_view challenges;  // every WWW-Authenticate, joined by ", "
};

struct conversation_options {
  std::string program = "mcp-oauth-proxy";  // as it calls itself to the client
  std::string version;
  std::string instance;  // no other conversation has it: what another one gave out is not taken for ours
  bridge_upstream_settings upstream;
  std::function<std::string(std::string_view)> here = {};  // of `failure_answer`
  // What the server says of a failure, without what it must not repeat.
  std::function<std::string(std::string_view)> redacted = {};
  // What it says to the client in an error of JSON-RPC, without secrets; the rest may be for programs.
  std::function<std::string(std::string_view)> without_secrets = {};
  std::function<std::string()> token_words = {};  // what the token of now says of itself
};

// One client on standard input and output, and the MCP server that it shall believe to speak to: what each
// line and each answer of the server leads to. It opens no socket and reads no clock. Every request of the
// client gets exactly one answer, unless the client cancels it. Client and server may speak any revision,
// also different ones: then messages are translated (decision 29).
//
// `now` is time since any fixed moment, and does not go back. After each call: `take_actions`, `output`.
class conversation {
 public:
  conversation(conversation_options options, milliseconds now);
  ~conversation();
  conversation(const conversation&) = delete;
  conversation& operator=(const conversation&) = delete;

  // ---- from the client
  void on_line(std::string line, milliseconds now);
  void on_line_too_long(milliseconds now);
  // It closed its side: what is under way may end, then the session goes.
  void on_client_end(milliseconds now);
  // We shall end now: what is open is answered with an error, and the session goes.
  void on_stop(milliseconds now);

  // ---- from the server
  // The first byte of that request is about to go, also when it goes once more on another connection. False:
  // nobody wants it any more, and it must not go.
  bool on_sending(std::uint64_t call, milliseconds now);
  enum class reading { body, drain };  // drain: what follows is not for us
  reading on_head(std::uint64_t call, const upstream_head& head, milliseconds now);
  void on_body(std::uint64_t call, std::string_view piece, milliseconds now);
  void on_end(std::uint64_t call, milliseconds now);
  // It came to nothing, also after its head.
  void on_failure(std::uint64_t call, const error& why, milliseconds now);
  void on_renewed(std::uint64_t call, const result<void>& token, milliseconds now);

  // What a person has to do before there is a token; "" when nobody is waited for.
  void on_waiting(std::string_view what, milliseconds now);
  void on_time(milliseconds now);

  // ---- what comes of it
  std::vector<bridge_action> take_actions() { return std::exchange(actions_, {}); }
  bool has_actions() const { return !actions_.empty(); }
  // Bytes for the client; to be taken by whoever writes them.
  std::string& output() { return output_; }
  // Whether more of that answer may be read now: there is one line at a time to write it to.
  bool may_read(std::uint64_t call) const;
  // When `on_time` has something to do.
  std::optional<milliseconds> wake_at() const { return wake_; }
  // All is said, and the program may end.
  bool finished() const { return finished_; }
  // Requests of the client that wait for their answer.
  std::size_t waiting() const { return by_client_id_.size(); }

 private:
  enum class era { unknown, sessions, stateless };
  enum class purpose {
    client_request,
    client_notification,
    client_response,
    client_batch,
    opening,  // initialize or server/discover, of the client or our own
    initialized,
    cancel,
    listen,      // subscriptions/listen for a client that has no such thing
    list_tools,  // to learn what headers a tool wants
    quiet,       // of our own, and nobody waits for what comes of it
  };
  enum class route { straight, to_stateless, to_sessions };
  enum class state { queued, sent, delayed, elsewhere, parked };

  // A message on its way to the server, until what it leads to is known.
  struct transit {
    std::uint64_t serial = 0;
    purpose why = purpose::client_request;
    route by = route::straight;
    state at = state::queued;
    std::shared_ptr<const std::string> line;  // as the client wrote it
    std::shared_ptr<const std::string> body;  // as it goes up
    message_facts facts;                      // of `line`, or, of our own, of `body`
    std::string client_id;                    // raw: who waits for the answer; "": nobody
    std::string wire_id;                      // raw: the id that it goes up under
    std::string fields;                       // Mcp-Param-*
    std::vector<std::string> batch_ids;       // of a batch, not answered yet
    std::uint64_t call = 0;
    milliseconds began{0}, sent_at{0}, deadline{0}, again_at{0}, told_at{0};
    milliseconds heard_at{0};  // a message of its stream, not only bytes
    bool endless = false;      // no deadline
    bool counted = false;      // among `answering_`
    bool unattended = false;   // nobody waits for it
    bool resuming = false;
    bool session_repeated = false, headers_repeated = false, head_seen = false;
    int token_refusals = 0, scope_refusals = 0, redirects = 0, waits = 0, resumes = 0, rounds = 0;
    std::string target;           // where it was redirected to
    bool moved_for_good = false;  // by nothing but 308
    std::string last_event_id;
    std::optional<milliseconds> retry;
    std::string unclear;  // what was no JSON in its stream
  };

  // One request to the server.
  struct exchange {
    enum class kind { post, resume, server_stream, legacy_stream, remove };
    std::uint64_t id = 0;
    enum kind kind = kind::post;
    std::uint64_t serial = 0;  // of its transit; 0: gone, or none
    std::string session;
    std::string target;  // as it was sent
    int status = 0;
    bool as_stateless = false;
    bool under_way = false;      // the server may have heard of it
    bool collecting = false;     // an error's body
    bool asks_patience = false;  // by Retry-After
    std::string collected;
    std::unique_ptr<upstream_answer> reader;
    milliseconds linger_until{0};
    milliseconds opened_at{0};
    bool renewing = false;
    std::vector<answer_part> blocked;  // wait for the line
    std::size_t unanswered = 0;        // of its questions, ours to answer: it is not read on before
    bool ended = false;                // while some of it waited for the line
    std::uint64_t flow_serial = 0;     // whose answer is being written in parts
  };

  // ---- conversation.cc: the client's side
  void route_client(std::shared_ptr<const std::string> line, message_facts facts, milliseconds now);
  void take_batch(std::shared_ptr<const std::string> line, const message_facts& facts, milliseconds now);
  bool refused_request(const message_facts& facts);
  void refuse_nonmessage(const message_facts& facts);
  void take_request(std::shared_ptr<const std::string> line, message_facts facts, milliseconds now);
  void take_notification(std::shared_ptr<const std::string> line, message_facts facts, milliseconds now);
  void take_response(std::shared_ptr<const std::string> line, message_facts facts, milliseconds now);
  void cancel(std::string_view raw_id, std::shared_ptr<const std::string> line, message_facts facts,
              milliseconds now);
  transit& add(purpose why, std::shared_ptr<const std::string> line, message_facts facts, milliseconds now);
  transit& add_own(purpose why, std::string text, milliseconds now);
  void dispatch(transit& t, milliseconds now);
  void flush_queue(milliseconds now);
  void write_line(std::string_view text);
  void answer_client(transit& t, std::string_view text);
  void refuse_client(std::string_view raw_id, errc why, std::string detail);
  void fail(transit& t, const bridge_failure& failure, milliseconds now);
  void finish(transit& t, milliseconds now);
  void check_ended(milliseconds now);
  transit* find(std::uint64_t serial);
  transit* find_client(std::string_view raw_id);
  transit* find_wire(std::string_view raw_id);
  void wake(milliseconds at);
  void log(bridge_log_level level, std::string text);
  std::string next_id();

  // ---- conversation_again.cc: requests that are made once more
  bool refused_token(exchange& x, transit* t, const upstream_head& head);
  bool is_unattended(const exchange& x);
  bool redirected(exchange& x, transit& t, const upstream_head& head, milliseconds now);
  void keep_place(const transit& t);
  void forget_place(const exchange& x);

  // ---- conversation_upstream.cc: requests and what comes of them
  void post(transit& t, milliseconds now);
  void resume(transit& t, milliseconds now);
  bool may_have_arrived(const transit& t);
  exchange& open_exchange(enum exchange::kind kind, std::uint64_t serial, milliseconds now);
  void send(exchange& x, enum bridge_action::method method, std::shared_ptr<const std::string> body,
            std::string extra, std::string_view target, bool may_repeat);
  std::string session_fields(const transit* t) const;
  answer_bounds bounds_of(const transit* t) const;
  answer_bounds bounds_for(std::uint64_t call, const message_facts& seen);
  void read_stream(exchange& x, answer_bounds bounds);
  reading head_of_post(exchange& x, transit& t, const upstream_head& head, milliseconds now);
  bool must_wait(exchange& x, transit& t, const upstream_head& head, milliseconds now);
  void error_answer(exchange& x, transit& t, milliseconds now);
  bridge_failure refused_by_status(const exchange& x) const;
  std::string redacted(std::string_view text) const;
  std::optional<std::string> error_without_secrets(std::string_view answer, std::string_view raw_id);
  void ended_without_response(exchange& x, transit& t, const std::string& why, milliseconds now);
  void drop_exchange(std::uint64_t id, bool abort);
  void release(exchange& x, milliseconds now);
  exchange* find_exchange(std::uint64_t id);
  void take_parts(std::uint64_t call, std::vector<answer_part> parts, milliseconds now);
  void take_flow(exchange& x, answer_part& part, milliseconds now);
  void end_flow(exchange& x, milliseconds now);
  void end_of_body(exchange& x, const std::string& why, milliseconds now);
  void break_flow(exchange& x, const std::string& why, milliseconds now);
  void route_server(exchange& x, std::string text, const message_facts& facts, milliseconds now);
  void take_answer(exchange& x, std::string text, const message_facts& facts, milliseconds now);
  void pass_answer(transit& t, std::string text, const message_facts& facts, milliseconds now);
  void touch(transit& t, milliseconds now);

  // ---- conversation_session.cc: sessions and streams
  void begin_opening(transit& t, milliseconds now);
  void opened(transit& t, std::string text, const message_facts& facts, milliseconds now);
  void opening_failed(transit& t, const bridge_failure& failure, milliseconds now);
  bool try_other_transport(transit& t, const bridge_failure& failure, std::int64_t code, milliseconds now);
  // Whether what comes of it shows how to speak to the server.
  bool decides(const transit& t) const { return opening_ == t.serial || t.why == purpose::opening; }
  void forget_attempts();
  std::string transport_hint(const bridge_failure& failure) const;
  void let_go(transit& t, milliseconds now);
  void probe_for_stateless(transit& t, milliseconds now);
  void reopen(milliseconds now);
  void leave_place();
  bool somebody_waits();
  bool session_lost(exchange& x, transit& t, milliseconds now);
  void initialized_done(milliseconds now);
  void open_server_stream(milliseconds now);
  void server_stream_ended(const std::string& why, int status, milliseconds wait, milliseconds now);
  void open_legacy_stream(milliseconds now);
  void legacy_endpoint(std::string_view uri, milliseconds now);
  void legacy_stream_ended(const bridge_failure& why, milliseconds now);
  void end_session(milliseconds now);
  void abort_streams();
  void drop_legacy_stream();
  void answer_opening_ourselves(transit& t, milliseconds now);
  void tell_waiting(milliseconds now);
  void announce_changes();

  // ---- conversation_translate.cc: other revisions on the other side
  bool to_stateless(transit& t, milliseconds now);
  void take_input_required(transit& t, std::string_view text, milliseconds now);
  bool take_input(std::string_view raw_id, std::string_view text, const message_facts& facts,
                  milliseconds now);
  void listen_for_client(milliseconds now);
  bool to_sessions(transit& t, milliseconds now);
  bool park(exchange& x, std::string_view text, const message_facts& facts, milliseconds now);
  void unpark(transit& t, milliseconds now);
  void forget_oldest_parked(milliseconds now);
  void notify_subscriptions(std::string_view text, const message_facts& facts);
  void ask_client(transit& t, const std::string& state);
  void answer_server(std::uint64_t call, std::string text, milliseconds now);
  void answer_more(milliseconds now);
  void answer_locally(transit& t, std::string_view raw_result, milliseconds now);

  conversation_options options_;
  std::string origin_, path_;
  milliseconds started_;

  std::vector<bridge_action> actions_;
  std::string output_;
  std::string held_lines_;        // wait until the line is free
  std::uint64_t line_owner_ = 0;  // an exchange that writes a line in parts
  std::deque<std::uint64_t> line_waiters_;

  std::map<std::uint64_t, std::unique_ptr<transit>> transits_;
  std::unordered_map<std::uint64_t, std::unique_ptr<exchange>> exchanges_;
  std::unordered_map<std::string, std::uint64_t> by_client_id_;
  std::deque<std::uint64_t> queue_;
  std::uint64_t last_serial_ = 0, last_call_ = 0, last_own_id_ = 0;
  std::optional<milliseconds> wake_;

  era client_ = era::unknown, server_ = era::unknown;
  client_profile profile_;
  std::string offered_;        // the revision in the client's initialize
  std::uint64_t opening_ = 0;  // the transit that shows what the server speaks; others wait for it
  bool open_ = false;          // initialize was answered
  json::object initialized_result_;
  std::uint64_t gate_ = 0;  // what the others wait for: the delivery of `initialized`
  std::string initialize_;  // as it was answered, under an id of ours, to open a session again
  bool initialized_sent_ = false;
  std::string session_, negotiated_;
  bool legacy_transport_ = false;  // HTTP with SSE, of 2024-11-05
  bool tried_stateless_ = false, tried_legacy_ = false, tried_http_ = false;
  std::optional<bridge_failure> first_failure_;
  json::object discovered_;
  std::string held_answer_;  // to initialize, while it is not known whether it counts
  std::string endpoint_;     // of the legacy transport: path and query
  std::string moved_to_;     // path and query that the server redirected to, for all requests
  bool moved_for_good_ = false;
  std::uint64_t legacy_stream_ = 0;
  int legacy_refusals_ = 0;   // of its token, while it is being opened
  bool provisional_ = false;  // the client's initialize was answered by us

  struct server_stream {
    std::uint64_t call = 0;
    bool wanted = false, worked = false, refused = false;
    bool up = false;               // this one is answered
    bool worked_here = false;      // one was in this session
    bool session_doubted = false;  // it heard of 404: another session is opened with it
    std::string last_event_id;
    std::optional<milliseconds> retry;
    int failures = 0;
    int token_refusals = 0;  // one after the other, also of one stream after the other
    int reopened = 0;        // sessions on its account since one of it has lasted
    int refused_new = 0;     // 404 in a session that was just opened, one after the other
    milliseconds opened_at{0}, again_at{0};
  };
  server_stream stream_;
  milliseconds ping_at_{0};

  std::string waiting_for_;
  milliseconds waiting_since_{0};
  bool waiting_told_ = false;

  // A client of a revision with sessions before a stateless server.
  tool_headers tools_;
  std::vector<std::string> watched_resources_;
  std::uint64_t listen_ = 0;  // transit
  std::uint64_t relisting_for_ = 0;
  bool list_changes_offered_ = false;
  struct asked {  // of the client, for the server
    std::uint64_t serial = 0;
    std::string key;
  };
  std::map<std::string, asked> asked_;  // by raw id of ours
  struct input_round {
    std::size_t missing = 0;
    json::object responses;
    std::optional<json::value> state;
  };
  std::map<std::uint64_t, input_round> rounds_;

  // A stateless client before a server with sessions.
  struct server_question {
    std::string raw_id, text;
  };
  struct parked {
    std::uint64_t serial = 0;
    std::deque<server_question> questions;  // the first is with the client
    std::string answer;                     // came while the client was asked
  };
  std::map<std::string, parked> parked_;  // by request state
  // Our own answers to its questions: so many at a time, and then its streams have to wait.
  std::size_t answering_ = 0;
  std::deque<std::pair<std::uint64_t, std::string>> unanswered_;  // by exchange
  struct subscription {
    std::string raw_id;
    bool tools = false, prompts = false, resources = false;
    std::vector<std::string> uris;
  };
  std::vector<subscription> subscriptions_;

  bool client_ended_ = false, stopping_ = false, removing_ = false, finished_ = false;
  milliseconds end_by_{0};
};

}  // namespace mcp_oauth
