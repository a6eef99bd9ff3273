#include "config/yaml.h"

#include "base/text.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <sstream>
#include <utility>

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace mcp_oauth {
namespace {

constexpr std::size_t most_bytes = 1024 * 1024;
constexpr std::size_t most_nodes = 50'000;
constexpr std::size_t most_depth = 16;

constexpr auto alias_reason = "aliases are not read: quote a value that begins with *";
constexpr auto anchor_reason = "anchors are not read: quote a value that begins with &";

int line_of(const YAML::Mark& mark) { return mark.is_null() ? 0 : mark.line + 1; }

// Builds the tree from the parser's events. It throws a yaml_fault, because
// nothing else stops the parser.
class tree_builder final : public YAML::EventHandler {
 public:
  explicit tree_builder(std::vector<yaml_fault>* twice = nullptr) : twice_(twice) {}
  yaml_node take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    attach(leaf(yaml_node::kind::null, mark, {}), true);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw yaml_fault{line_of(mark), alias_reason};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    refuse_anchor(mark, anchor);
    attach(leaf(yaml_node::kind::scalar, mark, value), true);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    refuse_anchor(mark, anchor);
    open(yaml_node::kind::list, mark, tag);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    refuse_anchor(mark, anchor);
    open(yaml_node::kind::map, mark, tag);
  }
  void OnMapEnd() override { close(); }

 private:
  // "" and "?" stand for a plain scalar, "!" for a quoted one.
  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") throw yaml_fault{line_of(mark), "tags are not read"};
  }

  static void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) throw yaml_fault{line_of(mark), anchor_reason};
  }

  yaml_node leaf(yaml_node::kind is, const YAML::Mark& mark, const std::string& text) {
    if (++nodes_ > most_nodes) throw yaml_fault{line_of(mark), "more than 50000 values"};
    yaml_node node;
    node.is = is;
    node.line = line_of(mark);
    node.text = text;
    return node;
  }

  void open(yaml_node::kind is, const YAML::Mark& mark, const std::string& tag) {
    refuse_tag(mark, tag);
    if (open_.size() >= most_depth) throw yaml_fault{line_of(mark), "nested deeper than 16"};
    if (expects_name()) throw yaml_fault{line_of(mark), "a key must be text"};
    open_.push_back(leaf(is, mark, {}));
    repeated_.emplace_back();
  }

  void close() {
    yaml_node done = std::move(open_.back());
    open_.pop_back();
    // The last one first: each makes those behind it move.
    for (auto index = repeated_.back().rbegin(); index != repeated_.back().rend(); ++index) {
      auto at = static_cast<std::ptrdiff_t>(*index);
      done.names.erase(done.names.begin() + at);
      done.name_lines.erase(done.name_lines.begin() + at);
      done.items.erase(done.items.begin() + at);
    }
    repeated_.pop_back();
    attach(std::move(done), false);
  }

  bool expects_name() const {
    return !open_.empty() && open_.back().is == yaml_node::kind::map &&
           open_.back().names.size() == open_.back().items.size();
  }

  void attach(yaml_node node, bool may_be_name) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    auto& parent = open_.back();
    if (may_be_name && expects_name()) {
      if (node.is != yaml_node::kind::scalar) throw yaml_fault{node.line, "a key must be text"};
      if (node.text == "<<") throw yaml_fault{node.line, "merge keys are not read: write the values out"};
      auto first = std::find(parent.names.begin(), parent.names.end(), node.text);
      if (first != parent.names.end()) {
        auto index = static_cast<std::size_t>(first - parent.names.begin());
        auto why = quotable(node.text) + " is given twice in one map, first on line " +
                   std::to_string(parent.name_lines[index]);
        if (twice_ == nullptr) throw yaml_fault{node.line, std::move(why)};
        twice_->push_back(yaml_fault{node.line, std::move(why)});
        repeated_.back().push_back(parent.names.size());
      }
      parent.names.push_back(std::move(node.text));
      parent.name_lines.push_back(node.line);
      return;
    }
    parent.items.push_back(std::move(node));
  }

  // A secret that stands where a key should be is no name.
  static std::string quotable(const std::string& name) {
    bool plain = !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
      bool letter = to_lower(c) >= 'a' && to_lower(c) <= 'z';
      return letter || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
    });
    return plain ? "the key " + name : "a key";
  }

  std::vector<yaml_fault>* twice_;
  yaml_node root_;
  std::vector<yaml_node> open_;
  std::vector<std::vector<std::size_t>>
      repeated_;  // of each open map, which of its entries are not the first
  std::size_t nodes_ = 0;
};

std::optional<yaml_fault> refuse_bytes(std::string_view text) {
  if (text.size() > most_bytes) return yaml_fault{0, "larger than 1 MiB"};
  if (!is_valid_utf8(text)) return yaml_fault{0, "not UTF-8"};
  int line = 1;
  for (char c : text) {
    if (c == '\n') ++line;
    bool control = (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7F;
    if (control) return yaml_fault{line, "a control character"};
  }
  return std::nullopt;
}

// The line of that number, without its end; 1-based.
std::string_view line_at(std::string_view text, int number) {
  for (int line = 1; line < number; ++line) {
    auto end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

// What most likely led to the parser's complaint, which names what it met and not what was done.
std::string cause_of(const std::string& reason, std::string_view text, int line) {
  auto indentation = [](std::string_view of) { return of.substr(0, of.find_first_not_of(" \t")); };
  auto here = indentation(line_at(text, line));
  if (here.find('\t') != std::string_view::npos) return "a tab indents the line: YAML takes blanks only";
  if (line <= 0) return reason;
  if (reason == "illegal map value") {
    if (line > 1 && here.size() > indentation(line_at(text, line - 1)).size()) {
      return "the line is indented deeper than the one above, which has a value already";
    }
    auto colon = line_at(text, line).find(": ");
    bool two = colon != std::string_view::npos &&
               line_at(text, line).find(": ", colon + 1) != std::string_view::npos;
    if (two || line == 1) return "a value with \": \" in it needs quotes";
    return "the line above is no \"key: value\": is there a colon, and a blank after it?";
  }
  if (reason.starts_with("end of map not found") || reason.starts_with("end of sequence not found")) {
    return "the indentation of the line fits no line above it";
  }
  return reason;
}

}  // namespace

tl::expected<yaml_node, yaml_fault> parse_yaml(std::string_view text, std::vector<yaml_fault>* twice) {
  if (auto fault = refuse_bytes(text)) return tl::unexpected(*fault);
  // yaml-cpp takes a quote that never closes for closed where a line break ends the text.
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  std::istringstream in{std::string(text)};
  try {
    YAML::Parser parser(in);
    tree_builder tree(twice);
    if (!parser.HandleNextDocument(tree)) return yaml_node{};
    tree_builder rest;
    if (parser.HandleNextDocument(rest)) return tl::unexpected(yaml_fault{0, "more than one document"});
    return tree.take();
  } catch (const yaml_fault& fault) {
    return tl::unexpected(fault);
  } catch (const YAML::Exception& e) {
    // Some of the parser's messages end in ": " and a piece of the text.
    auto reason = e.msg.substr(0, e.msg.find(':'));
    if (reason == "the referenced anchor is not defined") reason = alias_reason;
    return tl::unexpected(yaml_fault{line_of(e.mark), cause_of(reason, text, line_of(e.mark))});
  } catch (const std::exception&) {
    return tl::unexpected(yaml_fault{0, "cannot be read"});
  }
}

}  // namespace mcp_oauth
