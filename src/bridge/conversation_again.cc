// What is asked once more: with another token, and elsewhere.

#include "base/url.h"
#include "bridge/conversation.h"

namespace mcp_oauth {
namespace {

constexpr int most_token_refusals = 1, most_scope_refusals = 2, most_redirects = 5;

bool asks_for_scope(const upstream_head& head) {
  return head.status == 403 && head.challenges.find("insufficient_scope") != std::string_view::npos;
}

}  // namespace

// 401, or 403 for want of a scope: another token, and then once more. Bounded here for one message, and by
// whoever gets the tokens for all of them.
bool conversation::refused_token(exchange& x, transit* t, const upstream_head& head) {
  bool scope = asks_for_scope(head);
  if (head.status != 401 && !scope) return false;
  bool on_stream = x.kind == exchange::kind::server_stream;
  if (t == nullptr && !on_stream && x.kind != exchange::kind::legacy_stream) return false;
  auto& refusals = t != nullptr ? (scope ? t->scope_refusals : t->token_refusals)
                   : on_stream  ? stream_.token_refusals
                                : legacy_refusals_;
  if (refusals >= (t != nullptr && scope ? most_scope_refusals : most_token_refusals)) return false;
  ++refusals;
  x.renewing = true;
  x.under_way = false;                     // it was not done
  if (t != nullptr) t->head_seen = false;  // of the answer that it will get
  bridge_action action;
  action.kind = bridge_action::kind::renew;
  action.call = x.id;
  action.unattended = is_unattended(x);
  action.status = head.status;
  action.challenges = head.challenges;
  action.dpop_nonce = head.dpop_nonce;
  actions_.push_back(std::move(action));
  return true;
}

bool conversation::is_unattended(const exchange& x) {
  // The stream of HTTP with SSE is for whoever waits for the session.
  auto* t = find(x.kind == exchange::kind::legacy_stream ? opening_ : x.serial);
  return t == nullptr || t->unattended;
}

void conversation::on_renewed(std::uint64_t call, const result<void>& token, milliseconds now) {
  auto* x = find_exchange(call);
  if (x == nullptr || !x->renewing) return;
  x->renewing = false;
  auto kind = x->kind;
  auto status = x->status;
  auto* t = find(x->serial);
  drop_exchange(call, false);
  if (kind == exchange::kind::server_stream) {
    stream_.call = 0;
    if (token) {
      stream_.again_at = now;
      open_server_stream(now);
    } else {
      server_stream_ended("no token: " + token.error().detail, 0, milliseconds(0), now);
    }
    return;
  }
  if (kind == exchange::kind::legacy_stream) {
    legacy_stream_ = 0;
    if (token) return open_legacy_stream(now);
    bridge_failure why;
    why.why = token.error();
    why.status = status;
    return legacy_stream_ended(why, now);
  }
  if (t == nullptr) return;
  if (token) {
    if (t->resuming) return resume(*t, now);
    return post(*t, now);
  }
  bridge_failure why;
  why.why = token.error();
  why.status = status;
  if (decides(*t)) return opening_failed(*t, why, now);
  fail(*t, why, now);
}

bool conversation::redirected(exchange& x, transit& t, const upstream_head& head, milliseconds now) {
  if (head.status < 301 || head.status > 308 || head.status == 304) return false;
  bridge_failure why;
  why.status = head.status;
  auto refuse = [&](std::string reason) {
    why.why = {errc::upstream_redirect_refused, std::move(reason)};
    x.serial = 0;
    drop_exchange(x.id, true);
    if (decides(t)) {
      opening_failed(t, why, now);
    } else {
      fail(t, why, now);
    }
    return true;
  };
  std::string location(cut_text(head.location, most_said));
  if (head.status != 307 && head.status != 308)
    return refuse(std::to_string(head.status) + " to " + location + " would make a GET of it");
  std::string target = location;
  if (!location.starts_with('/') || location.starts_with("//")) {
    auto to = url::parse(location.starts_with("//") ? origin_.substr(0, origin_.find(':') + 1) + location
                                                    : location);
    if (!to) return refuse("a Location that is no URL: " + location);
    if (to->origin() != origin_) return refuse("to another origin: " + location);
    target = to->path.empty() ? "/" : to->path;
    if (to->has_query) target += "?" + to->query;
  }
  if (auto whole = url::parse(origin_ + target); !whole)
    return refuse("a Location that is no URL: " + location);
  target = target.substr(0, target.find('#'));
  if (++t.redirects > most_redirects) return refuse("more than 5, the last to " + location);
  x.serial = 0;
  drop_exchange(x.id, false);
  t.moved_for_good = head.status == 308 && (t.redirects == 1 || t.moved_for_good);
  t.target = target;
  post(t, now);
  return true;
}

// A redirect counts for others as well once the server has answered there: 308 from now on, 307 only where
// a session was opened behind it, and as long as that.
void conversation::keep_place(const transit& t) {
  if (t.target.empty() || (!t.moved_for_good && t.facts.method != "initialize")) return;
  moved_to_ = t.target;
  moved_for_good_ = t.moved_for_good;
}

void conversation::forget_place(const exchange& x) {
  bool gone = x.status == 404 || x.status == 405 || x.status == 410 || x.status >= 500;
  if (gone && moved_for_good_ && x.kind == exchange::kind::post && x.target == moved_to_) moved_to_.clear();
}

}  // namespace mcp_oauth
