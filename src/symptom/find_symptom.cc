#include "symptom/find_symptom.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace mcp_oauth {
namespace {

// More than any message that a person pastes. Of a longer text its end counts: there logs say what is wrong.
constexpr std::size_t longest_text = 8 * 1024;
// What one word of a text has to weigh: those that one entry in twenty has say nothing ("the", "is",
// "token").
const double heavy_enough = std::log(1 + 20.0);
constexpr double near_enough = 0.4;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_of_word(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

bool is_number(const std::string& word) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (std::all_of(word.begin(), word.end(), digit)) return true;
  // 30000ms, but not the code of an error
  auto end = std::find_if_not(word.begin(), word.end(), digit);
  return end != word.begin() && (std::string(end, word.end()) == "ms" || std::string(end, word.end()) == "s");
}

// What counts of a text: its words, without numbers. Status codes say too little to be told from ports.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  auto end_word = [&] {
    if (!word.empty() && !is_number(word) && word != "error") words.push_back(word);
    word.clear();
  };
  for (char raw : text.substr(text.size() - std::min(text.size(), longest_text))) {
    char c = lower(raw);
    if (is_of_word(c)) {
      word += c;
    } else if (c != '\'') {  // "isn't"
      end_word();
    }
  }
  end_word();
  return words;
}

struct entry {
  const symptom* row = nullptr;
  std::string_view text;
  guide from = guide::none;
  std::vector<std::string> words;
  bool is_prose = false;  // a cause: its words count, but nobody meets it as it stands
};

struct index {
  std::vector<entry> entries;
  std::map<std::string, double, std::less<>> weights;  // rare words say more

  index() {
    for (const auto& known : all_known_words()) add(explain(known.code), known.text, known.from, false);
    for (const auto& row : catalogue()) {
      add(row, row.description, guide::none, false);
      add(row, row.name, guide::none, false);
      add(row, row.cause, guide::none, true);
    }
    std::map<std::string, int, std::less<>> seen;
    for (const auto& e : entries) {
      for (const auto& word : std::set<std::string>(e.words.begin(), e.words.end())) ++seen[word];
    }
    for (const auto& [word, times] : seen)
      weights[word] = std::log(1 + static_cast<double>(entries.size()) / times);
  }

  void add(const symptom& row, std::string_view text, guide from, bool is_prose) {
    auto words = words_of(text);
    if (!words.empty()) entries.push_back({&row, text, from, std::move(words), is_prose});
  }

  double weight_of(const std::string& word) const {
    auto at = weights.find(word);
    return at == weights.end() ? std::log(1 + static_cast<double>(entries.size())) : at->second;
  }
};

bool holds(const std::vector<std::string>& whole, const std::vector<std::string>& part) {
  return std::search(whole.begin(), whole.end(), part.begin(), part.end()) != whole.end();
}

// Of the words that either has, by weight, how many both have.
double likeness(const index& all, const std::vector<std::string>& given, const entry& e) {
  std::set<std::string> a(given.begin(), given.end()), b(e.words.begin(), e.words.end());
  double shared = 0, of_given = 0, of_entry = 0;
  for (const auto& word : a) {
    of_given += all.weight_of(word);
    if (b.count(word) != 0) shared += all.weight_of(word);
  }
  for (const auto& word : b) of_entry += all.weight_of(word);
  if (shared <= 0) return 0;
  return shared / std::sqrt(of_given * of_entry);
}

const index& the_index() {
  static const index made;
  return made;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

// Ids that stand in the text, in its order.
std::vector<const symptom*> ids_in(std::string_view text) {
  std::vector<const symptom*> found;
  auto given = upper(text);
  for (auto at = given.find("MOP-"); at != std::string::npos; at = given.find("MOP-", at + 1)) {
    const auto* row = find_by_id(std::string_view(given).substr(at, 11));
    if (row != nullptr && std::find(found.begin(), found.end(), row) == found.end()) found.push_back(row);
  }
  return found;
}

bool is_better(const found_symptom& a, const found_symptom& b) {
  if (a.exact != b.exact) return a.exact;
  return a.nearness > b.nearness;
}

// By insertion: few are found.
void sort_keeping_order(std::vector<found_symptom>& found, std::size_t from) {
  for (auto next = from + 1; next < found.size(); ++next) {
    for (auto at = next; at > from && is_better(found[at], found[at - 1]); --at)
      std::swap(found[at], found[at - 1]);
  }
}

}  // namespace

const symptom* find_by_id(std::string_view id) {
  auto wanted = upper(id);
  for (const auto& row : catalogue()) {
    if (row.id == wanted || row.name == id) return &row;
  }
  return nullptr;
}

std::vector<found_symptom> find_symptoms(std::string_view text, std::size_t most) {
  const auto& all = the_index();
  auto given = words_of(text);
  std::vector<found_symptom> found;
  for (const auto* row : ids_in(text)) found.push_back({row, row->id, guide::none, true, 1});
  // Of many the last ones.
  if (found.size() > most) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(most));
  auto named = found.size();
  if (std::none_of(given.begin(), given.end(),
                   [&](const std::string& word) { return all.weight_of(word) >= heavy_enough; }))
    return found;
  for (const auto& e : all.entries) {
    found_symptom one{e.row, e.text, e.from, false, likeness(all, given, e)};
    // One word alone is a heading, not a message, unless that is all that was asked for.
    bool whole = holds(given, e.words) && (e.words.size() > 1 || given.size() <= 2);
    one.exact = !e.is_prose && (whole || holds(e.words, given));
    if (e.is_prose) one.nearness *= 0.8;
    if (!one.exact && one.nearness < near_enough) continue;
    auto before = std::find_if(found.begin(), found.end(), [&](const auto& f) { return f.row == e.row; });
    if (before == found.end()) {
      found.push_back(one);
    } else if (static_cast<std::size_t>(before - found.begin()) >= named && is_better(one, *before)) {
      *before = one;
    }
  }
  sort_keeping_order(found, named);
  if (found.size() > most) found.resize(most);
  return found;
}

std::vector<known_words> known_words_of(errc code) {
  std::vector<known_words> found;
  for (const auto& known : all_known_words()) {
    if (known.code == code) found.push_back(known);
  }
  return found;
}

}  // namespace mcp_oauth
