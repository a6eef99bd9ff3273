# Run by embed_files at build time. Bytes are written as numbers: no delimiter or line end of a file can get in the way.
string(REPLACE "|" ";" FILES "${FILES}")
set(arrays "")
set(rows "")
set(index 0)
foreach(file ${FILES})
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  # The terminator keeps an empty file's array legal; the view leaves it out.
  string(APPEND arrays "constexpr char file_${index}[] = {${bytes}'\\0'};\n")
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${BASE} OUTPUT_VARIABLE name)
  string(APPEND rows "    {\"${name}\", {file_${index}, sizeof file_${index} - 1}},\n")
  math(EXPR index "${index} + 1")
endforeach()
file(WRITE ${OUTPUT} "#include \"embedded/${NAME}.h\"

#include <array>

namespace mcp_oauth {
namespace {

${arrays}
constexpr std::array<embedded_file, ${index}> files = {{
${rows}}};

}  // namespace

std::span<const embedded_file> embedded_${NAME}() { return files; }

}  // namespace mcp_oauth
")
