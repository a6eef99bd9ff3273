#include "app/span_exporter.h"

#include "base/json.h"
#include "base/text.h"

#include <algorithm>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_queued = 8192;
constexpr std::size_t batch_size = 512;
constexpr milliseconds longest_backoff{30'000};

// OTLP/HTTP: these, and no others, are worth another try.
bool is_worth_another_try(int status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

// How many spans the collector says it did not take, although it took the request: partialSuccess.
std::size_t rejected_of(const std::string& body) {
  auto said = parse_json_object(body);
  if (!said) return 0;
  const auto* part = said->if_contains("partialSuccess");
  const auto* count =
      part != nullptr && part->is_object() ? part->as_object().if_contains("rejectedSpans") : nullptr;
  if (count == nullptr) return 0;
  if (const auto* text = count->if_string())
    return parse_decimal(std::string_view(text->data(), text->size())).value_or(0);
  if (const auto* number = count->if_int64()) return *number > 0 ? static_cast<std::size_t>(*number) : 0;
  return 0;
}

}  // namespace

span_exporter::span_exporter(span_receiver to, send_fn send, log_sink& log, export_pace how)
    : to_(std::make_shared<const span_receiver>(std::move(to))),
      send_(std::move(send)),
      log_(log),
      pace_(how),
      thread_([this] { run(); }) {}

span_exporter::~span_exporter() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
    // Of a request under way, what it has waited counts: it looks at `given_up` once a second.
    auto since = sending_since_.value_or(std::chrono::steady_clock::now());
    done_.wait_until(lock, since + pace_.goodbye, [this] { return ended_; });
  }
  given_up_ = true;
  thread_.join();
}

void span_exporter::send_to(span_receiver other) {
  auto fresh = std::make_shared<const span_receiver>(std::move(other));
  std::lock_guard lock(mutex_);
  to_ = std::move(fresh);
}

void span_exporter::add(span_record&& span) {
  // The queue is bounded by number: what a stranger wrote must not make one of them large.
  for (auto& [name, text] : span.texts) shorten(text);
  bool full_batch = false;
  {
    std::lock_guard lock(mutex_);
    if (queue_.size() >= most_queued) {
      ++dropped_;
      return;
    }
    queue_.push_back(std::move(span));
    full_batch = queue_.size() == batch_size;
  }
  if (full_batch) wake_.notify_one();
}

std::uint64_t span_exporter::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

std::uint64_t span_exporter::sent() const {
  std::lock_guard lock(mutex_);
  return sent_;
}

span_exporter::reply span_exporter::send(const span_receiver& to, const std::vector<span_record>& batch) {
  auto answer = send_(export_request(to, batch), to, given_up_);
  if (!answer) {
    note(to, outcome::later, answer.error());
    return {};
  }
  bool taken = answer->status >= 200 && answer->status < 300;
  reply said;
  said.got = taken                                  ? outcome::taken
             : is_worth_another_try(answer->status) ? outcome::later
                                                    : outcome::refused;
  if (taken) said.rejected = std::min(rejected_of(answer->body), batch.size());
  auto after = parse_decimal(answer->fields.first("retry-after"));
  if (after && *after <= 3600) said.wait = seconds(*after);
  note(to, said.got, error{errc::telemetry_unreachable, "status " + std::to_string(answer->status)});
  return said;
}

// Once for each change, not for each batch.
void span_exporter::note(const span_receiver& to, outcome got, const error& why) {
  bool fails = got != outcome::taken;
  if (fails == failing_ || (fails && given_up_)) return;
  failing_ = fails;
  if (fails) {
    auto place = to.endpoint.substr(0, to.endpoint.find('?'));
    error told{errc::telemetry_unreachable,
               why.detail.starts_with(place) ? why.detail : place + ": " + why.detail};
    log_.event(log_level::warn, "telemetry", "the collector takes no spans; requests are served as before",
               &told);
  } else {
    log_.event(log_level::info, "telemetry", "the collector takes spans again");
  }
}

void span_exporter::run() {
  std::vector<span_record> batch;
  milliseconds backoff{0};
  std::unique_lock lock(mutex_);
  for (;;) {
    bool retrying = backoff > milliseconds(0);
    wake_.wait_for(lock, retrying ? backoff : pace_.batch,
                   [&] { return stopping_ || (!retrying && queue_.size() >= batch_size); });
    if (batch.empty()) {
      auto n = std::min(queue_.size(), batch_size);
      auto end = queue_.begin() + static_cast<std::ptrdiff_t>(n);
      batch.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
      queue_.erase(queue_.begin(), end);
    }
    bool last = stopping_;
    // Whoever is away is not waited for at the end.
    if (last && (batch.empty() || failing_ || given_up_)) break;
    if (batch.empty()) continue;
    auto to = to_;
    sending_since_ = std::chrono::steady_clock::now();
    lock.unlock();
    auto said = send(*to, batch);
    lock.lock();
    sending_since_.reset();
    if (said.got == outcome::later && !last) {
      backoff = std::clamp(std::max(backoff * 2, said.wait), pace_.again, longest_backoff);
      continue;
    }
    auto lost = said.got == outcome::taken ? said.rejected : batch.size();
    dropped_ += lost;
    sent_ += batch.size() - lost;
    backoff = milliseconds(0);
    batch.clear();
    if (last && said.got != outcome::taken) break;
  }
  ended_ = true;
  done_.notify_one();
}

}  // namespace mcp_oauth
