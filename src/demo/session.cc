#include "demo/session.h"

#include "base/base64url.h"

#include <algorithm>
#include <utility>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_kept_events = 1000;
constexpr seconds silent_for_too_long{3600};
constexpr milliseconds poll{20};

}  // namespace

void demo_session::push(std::string event) {
  std::lock_guard lock(mutex_);
  if (events_.size() == most_kept_events) events_.pop_front();
  events_.push_back(std::move(event));
}

void demo_session::push(std::unique_ptr<demo_stream> events) {
  std::lock_guard lock(mutex_);
  if (streams_.size() < most_kept_events) streams_.push_back(std::move(events));
}

demo_session::pushed demo_session::take() {
  std::lock_guard lock(mutex_);
  pushed out;
  for (const auto& event : events_) out.events += event;
  events_.clear();
  out.streams = std::exchange(streams_, {});
  return out;
}

std::shared_ptr<std::atomic<bool>> demo_session::running(std::string_view raw_id) {
  std::lock_guard lock(mutex_);
  std::erase_if(running_, [](const auto& r) { return r.second.expired(); });
  auto flag = std::make_shared<std::atomic<bool>>(false);
  running_[std::string(raw_id)] = flag;
  return flag;
}

void demo_session::cancel(std::string_view raw_id) {
  std::lock_guard lock(mutex_);
  auto found = running_.find(raw_id);
  if (found == running_.end()) return;
  if (auto flag = found->second.lock()) *flag = true;
}

std::shared_ptr<demo_session> demo_sessions::create(revision spoken, time_point now) {
  auto session = std::make_shared<demo_session>(base64url_encode(random_(16)), spoken);
  std::lock_guard lock(mutex_);
  make_room(now);
  sessions_[session->id()] = {session, now};
  return session;
}

std::shared_ptr<demo_session> demo_sessions::find(std::string_view id, time_point now) {
  std::lock_guard lock(mutex_);
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return nullptr;
  found->second.last_used = now;
  return found->second.session;
}

void demo_sessions::remove(std::string_view id) {
  std::lock_guard lock(mutex_);
  auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  found->second.session->close();
  sessions_.erase(found);
}

void demo_sessions::make_room(time_point now) {
  std::erase_if(sessions_, [&](const auto& s) {
    bool old = s.second.last_used + silent_for_too_long < now;
    if (old) s.second.session->close();
    return old;
  });
  if (sessions_.size() < most_) return;
  auto oldest = std::min_element(sessions_.begin(), sessions_.end(), [](const auto& a, const auto& b) {
    return a.second.last_used < b.second.last_used;
  });
  oldest->second.session->close();
  sessions_.erase(oldest);
}

session_stream::session_stream(std::shared_ptr<demo_session> session, std::string opening,
                               std::shared_ptr<demo_sessions> owner)
    : session_(std::move(session)),
      opening_(std::move(opening)),
      owner_(std::move(owner)),
      number_(session_->open_stream()) {}

session_stream::~session_stream() {
  if (owner_) owner_->remove(session_->id());
}

demo_stream::item session_stream::next() {
  if (!opening_.empty()) return {milliseconds(0), std::exchange(opening_, {}), false, false};
  if (session_->closed() || !session_->is_current(number_)) return {milliseconds(0), "", true, false};

  auto fresh = session_->take();
  for (auto& stream : fresh.streams) {
    auto due = stream->next();
    parts_.push_back({std::move(stream), std::move(due)});
  }
  std::string now = std::move(fresh.events);
  auto wait = poll;
  for (auto& p : parts_) {
    while (p.stream && p.due.wait <= milliseconds(0)) {
      now += p.due.bytes;
      // A broken part breaks the whole: it stands for a connection that is lost.
      if (p.due.abort) return {milliseconds(0), std::move(now), true, true};
      if (p.due.last) {
        p.stream.reset();
      } else {
        p.due = p.stream->next();
      }
    }
    if (p.stream) wait = std::min(wait, p.due.wait);
  }
  std::erase_if(parts_, [](const auto& p) { return !p.stream; });
  if (!now.empty()) return {milliseconds(0), std::move(now), false, false};
  for (auto& p : parts_) p.due.wait -= wait;
  return {wait, "", false, false};
}

}  // namespace mcp_oauth
