#include "app/story_keeper.h"

#include "broker/limiter.h"
#include "doctor/story_bounds.h"
#include "store/open.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <utility>

namespace mcp_oauth {
namespace {

// Strangers decide how many there are and, within bounds, how long: some five MiB of each at the worst.
constexpr std::size_t longest_queue = 1024;
constexpr std::size_t most_recent = 2048;
constexpr std::size_t most_counts = 4096;   // in the queue; of a few hundred bytes
constexpr std::size_t most_sources = 8192;  // in a minute
constexpr std::size_t batch_size = 64;
constexpr std::size_t more_than_may_be = 8192;  // that other processes may have added meanwhile

std::int64_t now_ms() {
  auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(now).count();
}

record record_of(const failure_story& story, const explain_settings& conf) {
  record r;
  r.kind = story_kind;
  r.id = story.id;
  r.data = to_data(story);
  // The newest first, by when it happened last.
  r.created = time_point(milliseconds(std::max(story.at, story.last_at)));
  r.expires = r.created + conf.keep;
  return r;
}

}  // namespace

std::string stories_place(const settings& conf) {
  if (!conf.explain.file.empty()) return "sqlite://" + conf.explain.file;
  if (conf.is_guard()) {
    if (conf.log.output != "file" || conf.log.file.empty()) return "";
    auto folder = std::filesystem::path(conf.log.file).parent_path();
    return "sqlite://" + (folder / "explain.db").string();
  }
  auto path = sqlite_path(conf.database_url);
  if (path && path->empty()) return "";
  return conf.database_url;
}

story_keeper::story_keeper(record_store& store, const explain_settings& conf, log_sink& log, story_pace pace)
    : store_(store), log_(log), pace_(pace) {
  change(conf);
  thread_ = std::thread([this] { run(); });
}

story_keeper::~story_keeper() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    wants_ = false;
  }
  wake_.notify_one();
  thread_.join();
}

void story_keeper::change(const explain_settings& conf) {
  std::lock_guard lock(mutex_);
  conf_ = conf;
  enabled_ = conf.enabled();
  wants_ = conf.enabled() && queue_.size() < longest_queue;
}

void story_keeper::add(std::uint64_t same, std::string source, failure_story story) {
  std::lock_guard lock(mutex_);
  if (stopping_ || queue_.size() >= longest_queue) {
    dropped();
    return;
  }
  queue(fresh{same, std::move(source), std::move(story)});
  if (queue_.size() >= longest_queue) wants_ = false;
}

void story_keeper::again(repeated more) {
  std::lock_guard lock(mutex_);
  // Beyond the bound of stories, as these are few: one for each cell of a worker in a second.
  if (stopping_ || queue_.size() >= most_counts) {
    dropped_ += more.times;
    return;
  }
  queue(std::move(more));
}

void story_keeper::ended(std::string_view login, std::string_view id, std::int64_t at) {
  std::lock_guard lock(mutex_);
  if (stopping_ || queue_.size() >= longest_queue) return;
  queue(good_end{std::string(login), std::string(id), at});
}

void story_keeper::queue(item&& what) {
  queue_.push_back(std::move(what));
  // It sleeps only before an empty one.
  if (queue_.size() == 1) wake_.notify_one();
}

story_keeper::counts story_keeper::now() const { return {kept_, collapsed_, dropped_}; }

void story_keeper::run() {
  std::unique_lock lock(mutex_);
  next_look_ = std::chrono::steady_clock::now();
  bool unwritten = false;
  for (;;) {
    auto called = [&] { return stopping_ || !queue_.empty(); };
    if (!unwritten && wrote_since_look_)
      wake_.wait_until(lock, next_look_, called);
    else if (!unwritten)
      wake_.wait(lock, called);
    wake_.wait_for(lock, pace_.batch, [&] { return stopping_; });
    ++rounds_;
    std::vector<item> batch;
    batch.swap(queue_);
    bool last = stopping_;
    wants_ = enabled_ && !last;
    lock.unlock();
    forgot_ = false;
    unwritten = true;
    try {
      for (auto& what : batch) take(std::move(what));
      // At the end nobody waits for a store that is away.
      if (!last || !failing_) write(last);
      if (!last) hold_to_bounds();
      unwritten = has_unwritten();
    } catch (const std::exception& e) {
      // A defect, or no memory: requests go on, and so does this.
      error why{errc::internal, std::string("an exception: ") + e.what()};
      log_.event(log_level::error, "explain", "stories of failures were lost", &why);
    }
    lock.lock();
    if (last) return;
  }
}

void story_keeper::take(item&& what) {
  std::visit([this](auto&& w) { take(std::forward<decltype(w)>(w)); }, std::move(what));
}

void story_keeper::take(fresh&& what) {
  auto found = recent_.find(what.same);
  auto& story = what.story;
  if (found != recent_.end() &&
      story.at - std::max(found->second.story.at, found->second.story.last_at) < pace_.one.count() * 1000) {
    take(repeated{what.same, 1, {story.id}, story.at});
    return;
  }
  if (is_too_much_of(what.source, story.at)) {
    dropped();
    return;
  }
  // It would take the place of one that has not been written as it is by now.
  if (found != recent_.end() && found->second.unwritten) write(true);
  if (recent_.size() >= most_recent && !std::exchange(forgot_, true)) forget_old(story.at);
  // None can be written for now: what is new has to wait for room.
  if (recent_.size() >= most_recent) {
    dropped();
    return;
  }
  make_fit(story);
  recent_.insert_or_assign(what.same, one{std::move(story), std::move(what.source), true, {}});
  kept_.fetch_add(1, std::memory_order_relaxed);
}

void story_keeper::take(repeated&& what) {
  auto found = recent_.find(what.same);
  if (found == recent_.end()) {
    // Its story was left out, or is forgotten.
    dropped_ += what.times;
    return;
  }
  auto& story = found->second.story;
  story.count += what.times;
  story.last_at = std::max(story.last_at, what.last_at);
  for (auto& id : what.ids) story.ids.push_back(std::move(id));
  if (story.ids.size() > most_ids_of_a_story) {
    auto extra = static_cast<std::ptrdiff_t>(story.ids.size() - most_ids_of_a_story);
    story.ids.erase(story.ids.begin(), story.ids.begin() + extra);
  }
  found->second.unwritten = true;
  collapsed_ += what.times;
}

void story_keeper::take(good_end&& what) {
  for (auto& [same, r] : recent_) {
    if (r.story.login != what.login || r.story.at > what.at) continue;
    r.story.ended_id = what.id;
    r.story.ended_at = what.at;
    r.unwritten = true;
  }
}

bool story_keeper::is_too_much_of(const std::string& source, std::int64_t at) {
  auto minute_now = at / 60'000;
  auto found = sources_.find(source);
  if (found == sources_.end()) {
    if (sources_.size() >= most_sources && std::exchange(swept_, minute_now) != minute_now)
      std::erase_if(sources_, [&](const auto& s) { return s.second.which != minute_now; });
    // Who is among them is still judged by what is his own.
    if (sources_.size() >= most_sources) return true;
    found = sources_.try_emplace(source).first;
  }
  auto& its = found->second;
  if (its.which != minute_now) its = {minute_now, 0};
  return ++its.stories > pace_.new_a_minute;
}

bool story_keeper::has_unwritten() const {
  return std::any_of(recent_.begin(), recent_.end(), [](const auto& r) { return r.second.unwritten; });
}

void story_keeper::forget_old(std::int64_t at) {
  std::erase_if(recent_, [&](const auto& r) {
    const auto& story = r.second.story;
    return !r.second.unwritten && at - std::max(story.at, story.last_at) >= pace_.one.count() * 1000;
  });
  if (recent_.size() < most_recent) return;
  std::erase_if(recent_, [](const auto& r) { return !r.second.unwritten; });
}

void story_keeper::write(bool all) {
  explain_settings conf;
  {
    std::lock_guard lock(mutex_);
    conf = conf_;
  }
  auto now = std::chrono::steady_clock::now();
  mcp_oauth::change batch;
  std::vector<one*> written;
  bool broken = false;
  auto commit = [&] {
    if (batch.put.empty()) return;
    auto done = store_.commit(batch, std::chrono::system_clock::now());
    broken = !done;
    note(done ? nullptr : &done.error());
    if (done) {
      for (auto* w : written) {
        w->unwritten = false;
        w->written = now;
      }
      wrote_since_look_ = true;
    }
    batch.put.clear();
    written.clear();
  };
  for (auto& [same, r] : recent_) {
    if (!r.unwritten) continue;
    bool rested = r.written.time_since_epoch().count() == 0 || now - r.written >= pace_.again;
    if (!rested && !all) continue;
    batch.put.push_back(record_of(r.story, conf));
    written.push_back(&r);
    if (batch.put.size() >= batch_size) commit();
    if (broken) return;
  }
  commit();
}

void story_keeper::hold_to_bounds() {
  auto now = std::chrono::steady_clock::now();
  if (!wrote_since_look_ || now < next_look_) return;
  next_look_ = now + pace_.between_looks;
  wrote_since_look_ = false;
  explain_settings conf;
  {
    std::lock_guard lock(mutex_);
    conf = conf_;
  }
  forget_old(now_ms());
  auto wall = std::chrono::system_clock::now();
  auto kept = store_.list(story_kind, wall, conf.most + more_than_may_be);
  if (!kept) return note(&kept.error());
  std::vector<kept_size> sizes;
  for (const auto& r : *kept) {
    auto size = size_of_story(r.id, r.data);
    size.source = limiter_key(size.source);
    sizes.push_back(std::move(size));
  }
  auto going = surplus(sizes, conf.most, conf.most_bytes);
  for (std::size_t at = 0; at < going.size(); at += batch_size) {
    mcp_oauth::change c;
    for (auto i = at; i < std::min(going.size(), at + batch_size); ++i)
      c.erase.emplace_back(std::string(story_kind), going[i]);
    auto done = store_.commit(c, wall);
    if (!done) return note(&done.error());
  }
  // Nobody else clears up in a file of our own.
  (void)store_.sweep(wall, 500);
}

// Once for each change.
void story_keeper::note(const error* why) {
  bool fails = why != nullptr;
  if (fails == std::exchange(failing_, fails)) return;
  if (fails) {
    log_.event(log_level::warn, "explain",
               "failures cannot be written down for explain; requests are served as before", why);
  } else {
    log_.event(log_level::info, "explain", "failures are written down again");
  }
}

}  // namespace mcp_oauth
