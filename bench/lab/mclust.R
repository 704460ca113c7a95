# Where R's mclust ends on its own data sets, from partitions of its own, for all fourteen models:
#   Rscript bench/lab/mclust.R FOLDER && python -m bench.lab.mclust FOLDER
suppressMessages(library(mclust))
folder <- commandArgs(trailingOnly = TRUE)[1]
dir.create(folder, showWarnings = FALSE)
data(diabetes, thyroid, banknote, acidity, wreath, cross, chevron)
sets <- list(iris = iris[, 1:4], faithful = faithful, diabetes = diabetes[, -1], thyroid = thyroid[, -1],
             banknote = banknote[, -1], acidity = data.frame(acidity), wreath = data.frame(wreath),
             cross = cross[, -1], chevron = chevron[, -1])
numbers <- list(wreath = 14, cross = c(2, 4))
# Far below mclust's own tolerances, so that its steps and its fits have converged.
control <- emControl(tol = c(1e-11, 1e-10), itmax = c(20000, 2000), eps = 0)
found <- NULL
for (name in names(sets)) {
  rows <- as.matrix(sets[[name]])
  storage.mode(rows) <- "double"
  tree <- if (ncol(rows) == 1) hc(rows, modelName = "V") else hc(rows, modelName = "VVV", use = "VARS")
  several <- if (is.null(numbers[[name]])) 1:5 else numbers[[name]]
  labels <- hclass(tree, several)
  write.table(format(rows, digits = 17), file.path(folder, paste0(name, ".rows.csv")), sep = ",", quote = FALSE,
              row.names = FALSE, col.names = FALSE)
  write.table(labels, file.path(folder, paste0(name, ".labels.csv")), sep = ",", row.names = FALSE, col.names = FALSE)
  models <- if (ncol(rows) == 1) c("E", "V") else mclust.options("emModelNames")
  for (column in seq_along(several)) for (model in models) {
    fit <- try(me(rows, modelName = model, z = unmap(labels[, column]), control = control), silent = TRUE)
    likelihood <- if (inherits(fit, "try-error")) NA else fit$loglik
    found <- rbind(found, data.frame(set = name, column = column - 1, model = model,
                                     log_likelihood = format(likelihood, digits = 17), row.names = NULL))
  }
}
write.csv(found, file.path(folder, "found.csv"), row.names = FALSE, quote = FALSE)
